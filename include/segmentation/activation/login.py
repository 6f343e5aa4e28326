"""A destination's login where there is no Airflow to ask: the environment variable that Airflow would read, too."""

from __future__ import annotations

import json
from collections.abc import Mapping
from urllib.parse import unquote, urlsplit

from segmentation.activation.destination import Login
from segmentation.errors import InvalidSetting


def connection_id(destination: str) -> str:
    """Return the id of the Airflow connection that holds a destination's login."""
    return f"segmentation_destination_{destination}"


def login_from_environment(destination: str, environment: Mapping[str, str]) -> Login:
    """Return the login in ``AIRFLOW_CONN_SEGMENTATION_DESTINATION_<NAME>``; an empty one if there is none.

    Parameters
    ----------
    destination : str
        Name in the settings.
    environment : mapping of str to str
        Variables. A connection is written as a URL, percent-encoded, or as JSON.

    Raises
    ------
    InvalidSetting
        If it is neither.

    Examples
    --------
    >>> login = login_from_environment("crm", {"AIRFLOW_CONN_SEGMENTATION_DESTINATION_CRM": "http://:a%2Fb@"})
    >>> login.secret, login
    ('a/b', Login(…))
    """
    name = f"AIRFLOW_CONN_{connection_id(destination).upper()}"
    value = environment.get(name, "")
    try:
        if value.startswith("{"):
            found = json.loads(value)
            return Login(found.get("login") or "", found.get("password") or "")
        parts = urlsplit(value)
        if value and "@" not in parts.netloc:
            raise ValueError
        return Login(unquote(parts.username or ""), unquote(parts.password or ""))
    except ValueError:
        raise InvalidSetting(name, "…", "write it like http://:TOKEN@ or http://ACCESS_KEY:SECRET_KEY@.") from None
