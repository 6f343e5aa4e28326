// Draws the charts of a page from the specifications in it, in the colours of its style sheet.
(function () {
  "use strict";
  var views = [];

  function colour(name) {
    return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  }

  function config() {
    var ink = colour("--ink"), soft = colour("--soft"), line = colour("--line");
    var font = getComputedStyle(document.body).fontFamily;
    var palette = [];
    for (var n = 1; n <= 14; n++) palette.push(colour("--c" + n));
    return {
      background: null,
      font: font,
      view: { stroke: null },
      axis: {
        labelColor: soft, titleColor: soft, gridColor: line, domainColor: line, tickColor: line,
        labelFontSize: 12, titleFontSize: 12, titleFontWeight: "normal",
      },
      legend: { labelColor: ink, titleColor: soft, labelFontSize: 12, rowPadding: 3, labelLimit: 280 },
      mark: { color: palette[1] },
      range: { category: palette },
      style: {
        shop: { color: ink, fill: ink },
        "flow-label": { fill: ink, fontSize: 13, font: font },
      },
    };
  }

  // a tooltip of text only: nothing that the data holds is read as markup
  var tip = document.createElement("div");
  tip.className = "tip";
  tip.hidden = true;
  function showTip(handler, event, item, value) {
    if (value === null || value === undefined || value === "") {
      tip.hidden = true;
      return;
    }
    tip.replaceChildren();
    if (typeof value === "object") {
      Object.keys(value).forEach(function (key) {
        var row = document.createElement("div"), label = document.createElement("span");
        label.textContent = key + " ";
        row.append(label, document.createTextNode(String(value[key])));
        tip.append(row);
      });
    } else {
      tip.textContent = String(value);
    }
    tip.hidden = false;
    tip.style.left = Math.min(event.clientX + 14, window.innerWidth - tip.offsetWidth - 8) + "px";
    tip.style.top = Math.min(event.clientY + 14, window.innerHeight - tip.offsetHeight - 8) + "px";
  }

  function draw() {
    views.splice(0).forEach(function (view) { view.finalize(); });
    document.querySelectorAll("[data-chart]").forEach(function (place) {
      var spec = JSON.parse(document.getElementById(place.dataset.chart).textContent);
      var look = config();
      if (spec.$schema.indexOf("vega-lite") >= 0) {
        // beside a narrow chart a legend leaves no room for it
        if (place.clientWidth < 640) {
          Object.assign(look.legend, { orient: "bottom", columns: 2, labelLimit: (place.clientWidth - 110) / 2 });
        }
        spec = vegaCharts.compile(spec, { config: look, logger: vegaCharts.logger(1) }).spec;
        look = undefined;
      }
      place.replaceChildren();
      // the interpreter evaluates expressions without eval, which the page's policy forbids
      var view = new vegaCharts.View(vegaCharts.parse(spec, look, { ast: true }), {
        expr: vegaCharts.expressionInterpreter,
        renderer: place.dataset.renderer || "svg",
        container: place,
        hover: true,
        tooltip: showTip,
        logLevel: vegaCharts.Warn,
      });
      views.push(view);
      view.runAsync().then(function () { place.dataset.drawn = "yes"; });
    });
  }

  function follow() {
    document.body.append(tip);
    draw();
    window.addEventListener("storage", function (event) {
      if (event.key !== "theme") return;
      if (event.newValue === "light" || event.newValue === "dark") {
        document.documentElement.dataset.theme = event.newValue;
      } else {
        delete document.documentElement.dataset.theme;
      }
      draw();
    });
    window.matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);
    document.querySelectorAll("select[data-submit]").forEach(function (choice) {
      choice.addEventListener("change", function () { choice.form.submit(); });
    });
  }

  if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", follow);
  else follow();
})();
