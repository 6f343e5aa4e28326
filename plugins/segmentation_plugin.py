"""What this product adds to Airflow's web server: the Data Docs pages."""

from __future__ import annotations

from typing import Any

from airflow.plugins_manager import AirflowPlugin

from segmentation_airflow.data_docs import URL_PREFIX, data_docs_app


class SegmentationPlugin(AirflowPlugin):
    """Registers the pages; the link on the task needs no registration, see `with_data_docs`."""

    name = "segmentation"
    fastapi_apps: list[Any] = [{"app": data_docs_app(), "url_prefix": URL_PREFIX, "name": "Data Docs"}]  # noqa: RUF012
