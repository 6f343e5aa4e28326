// Before anything is drawn: the colours of Airflow's UI, which keeps its choice under "theme"; else the system's.
(function () {
  "use strict";
  var chosen = null;
  try {
    chosen = window.localStorage.getItem("theme");
  } catch (refused) {
    // a sandboxed report has no storage
  }
  if (chosen === "light" || chosen === "dark") document.documentElement.dataset.theme = chosen;
})();
