"""The buttons on tasks: from a run to the pages about its business day."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseOperatorLink
from airflow.sdk.configuration import conf

from segmentation_airflow.data_docs import URL_PREFIX as DATA_DOCS_PREFIX

if TYPE_CHECKING:
    from datetime import date

    from airflow.sdk.definitions.xcom_arg import PlainXComArg

#: Where the Segments page is served; the reports are below it.
SEGMENTS_PREFIX = "/segmentation/segments"


class ReportLink(BaseOperatorLink):
    """The button "Report" of the publish task: the night in one page."""

    name = "Report"

    def get_link(self, operator: Any, *, ti_key: Any) -> str:
        """Return the address of the report of the run's business day."""
        return f"{_base()}{SEGMENTS_PREFIX}/report/{_day(ti_key)}"


def with_report(task: PlainXComArg) -> PlainXComArg:
    """Give a task the link to its night's report."""
    task.operator.operator_extra_links = (ReportLink(),)
    return task


class DataDocsLink(BaseOperatorLink):
    """The button "Data Docs" of a task; also there when the task failed."""

    name = "Data Docs"

    def get_link(self, operator: Any, *, ti_key: Any) -> str:
        """Return the address of the pages of the run's business day."""
        return f"{_base()}{DATA_DOCS_PREFIX}/{_day(ti_key)}/"


def with_data_docs(task: PlainXComArg) -> PlainXComArg:
    """Give a task the link to its run's Data Docs."""
    task.operator.operator_extra_links = (DataDocsLink(),)
    return task


def _base() -> str:
    return str(conf.get("api", "base_url", fallback="/")).rstrip("/")


def _day(ti_key: Any) -> date:
    """Return the business day of a task's run."""
    from segmentation_airflow.tonight import tonight

    return tonight(ti_key.get_template_context()).day
