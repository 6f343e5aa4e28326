"""What this product adds to Airflow: the Segments page, the Data Docs pages, and when a night is late."""

from __future__ import annotations

from typing import Any

from airflow.plugins_manager import AirflowPlugin

from segmentation_airflow.data_docs import URL_PREFIX, data_docs_app
from segmentation_airflow.deadline import LabelsDue
from segmentation_airflow.links import SEGMENTS_PREFIX
from segmentation_airflow.segments_page import EXTERNAL_VIEW, segments_app


class SegmentationPlugin(AirflowPlugin):
    """Registers pages and deadline; the links on tasks need no registration, see `with_data_docs` and `with_report`."""

    name = "segmentation"
    fastapi_apps: list[Any] = [  # noqa: RUF012
        {"app": data_docs_app(), "url_prefix": URL_PREFIX, "name": "Data Docs"},
        {"app": segments_app(), "url_prefix": SEGMENTS_PREFIX, "name": "Segments"},
    ]
    external_views: list[Any] = [EXTERNAL_VIEW]  # noqa: RUF012
    deadline_references: list[Any] = [LabelsDue]  # noqa: RUF012
