"""What this product adds to Airflow's web server: the Segments page and the Data Docs pages."""

from __future__ import annotations

from typing import Any

from airflow.plugins_manager import AirflowPlugin

from segmentation_airflow.data_docs import URL_PREFIX, data_docs_app
from segmentation_airflow.links import SEGMENTS_PREFIX
from segmentation_airflow.segments_page import EXTERNAL_VIEW, segments_app


class SegmentationPlugin(AirflowPlugin):
    """Registers the pages; the links on the tasks need no registration, see `with_data_docs` and `with_report`."""

    name = "segmentation"
    fastapi_apps: list[Any] = [  # noqa: RUF012
        {"app": data_docs_app(), "url_prefix": URL_PREFIX, "name": "Data Docs"},
        {"app": segments_app(), "url_prefix": SEGMENTS_PREFIX, "name": "Segments"},
    ]
    external_views: list[Any] = [EXTERNAL_VIEW]  # noqa: RUF012
