"""The Segments page in Airflow's UI: a thin web app around `segmentation.pages`. Each route checks the user itself."""

from __future__ import annotations

import logging
import secrets
from datetime import date
from functools import lru_cache
from typing import Annotated, Any
from urllib.parse import parse_qs

from airflow.api_fastapi.app import get_auth_manager
from airflow.api_fastapi.auth.managers.models.base_user import BaseUser
from airflow.api_fastapi.auth.managers.models.resource_details import DagDetails
from airflow.api_fastapi.auth.managers.simple.simple_auth_manager import SimpleAuthManager
from airflow.api_fastapi.auth.managers.simple.user import SimpleAuthManagerUser
from airflow.api_fastapi.core_api.security import GetUserDep, requires_authenticated
from airflow.sdk.configuration import conf
from fastapi import Depends, FastAPI, HTTPException, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import FileResponse, HTMLResponse, Response, StreamingResponse

from segmentation.catalog import NIGHTLY_DAG
from segmentation.config import settings
from segmentation.connections import engine_for
from segmentation.errors import (
    DatabaseUnreachable,
    LoginRefused,
    MissingConnection,
    NotThere,
    PermissionMissing,
    SegmentationError,
    WarehouseBusy,
    WarehouseNotReady,
)
from segmentation.pages.reader import Warehouse
from segmentation.pages.rendering import CONTENT_SECURITY_POLICY, REPORT_POLICY, STATIC, Viewer, render
from segmentation_airflow.links import SEGMENTS_PREFIX
from segmentation_airflow.urls import MARKETING, WAREHOUSE, url_of

logger = logging.getLogger(__name__)

#: How the page gets into the navigation.
EXTERNAL_VIEW = {
    "name": "Segments",
    "href": f"{SEGMENTS_PREFIX.lstrip('/')}/",
    "destination": "nav",
    "url_route": "segments",
    "icon": f"{SEGMENTS_PREFIX.lstrip('/')}/static/segments.svg",
    "icon_dark_mode": f"{SEGMENTS_PREFIX.lstrip('/')}/static/segments-dark.svg",
}
#: What a role needs besides reading the DAG, see `airflow roles add-perms`.
CUSTOMERS_VIEW, AUDIENCES_VIEW = "Segment customers", "Segment audiences"

_HEADERS = {
    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cache-Control": "no-store",
}
_STATIC_TYPES = {".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}
_CONNECT_TIMEOUT_S = 3
_FORM_LIMIT_BYTES = 4_096
_SERVED = (
    "Nothing is lost: the labels of the last published night stay in use, and the tables hold them as soon as the "
    "warehouse answers."
)


class _Refused(Exception):
    """The user may not see what was asked for."""

    def __init__(self, needed: str) -> None:
        self.needed = needed
        super().__init__(needed)


@lru_cache(maxsize=4)
def _warehouse(marts_url: str, ops_url: str) -> Warehouse:
    """Return the pooled engines; one set per pair of URLs, so that a changed connection takes effect."""
    ops = engine_for(ops_url, _CONNECT_TIMEOUT_S)
    return Warehouse(ops if marts_url == ops_url else engine_for(marts_url, _CONNECT_TIMEOUT_S), ops)


def warehouse() -> Warehouse:
    """Return where the page reads: marts as the marketing role if there is a connection for it.

    Raises
    ------
    MissingConnection
        If there is no connection to the warehouse.
    InvalidSetting
        If a connection is not a Postgres one.
    """
    ops_url = url_of(WAREHOUSE)
    try:
        marts_url = url_of(MARKETING)
    except MissingConnection:
        marts_url = ops_url
    return _warehouse(marts_url, ops_url)


def may_read(user: BaseUser) -> bool:
    """Tell whether a user may see the page: who may read the nightly DAG."""
    return get_auth_manager().is_authorized_dag(method="GET", details=DagDetails(id=NIGHTLY_DAG), user=user)


def may_see(user: BaseUser, view: str) -> bool:
    """Tell whether a user may see single customers, or take audiences away: a permission of its own.

    The simple auth manager lets every viewer into a custom view, so there it takes the role op or admin.
    """
    manager = get_auth_manager()
    if isinstance(manager, SimpleAuthManager):
        return isinstance(user, SimpleAuthManagerUser) and (user.role or "").lower() in ("op", "admin")
    return manager.is_authorized_custom_view(method="GET", resource_name=view, user=user)


def _reader(user: GetUserDep) -> BaseUser:
    if not may_read(user):
        raise _Refused(f"permission to read the DAG {NIGHTLY_DAG}")
    return user


def _customers_reader(user: Annotated[Any, Depends(_reader)]) -> BaseUser:
    if not may_see(user, CUSTOMERS_VIEW):
        raise _Refused(_role_needed(CUSTOMERS_VIEW))
    return user


def _audience_taker(user: Annotated[Any, Depends(_reader)]) -> BaseUser:
    if not may_see(user, AUDIENCES_VIEW):
        raise _Refused(_role_needed(AUDIENCES_VIEW))
    return user


async def _form(request: Request) -> dict[str, str]:
    # the browser says where a form comes from: another site's page must not use this user's cookie
    if request.headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none"):
        raise _Refused("a form of this page itself")
    body = await request.body()
    if len(body) > _FORM_LIMIT_BYTES:
        raise HTTPException(413, "This form is too long.")
    return {name: values[0] for name, values in parse_qs(body.decode("utf-8", "replace")).items()}


Reader = Annotated[Any, Depends(_reader)]
CustomersReader = Annotated[Any, Depends(_customers_reader)]
AudienceTaker = Annotated[Any, Depends(_audience_taker)]
Form = Annotated[dict[str, str], Depends(_form)]


def segments_app() -> FastAPI:
    """Make the app: every route for users who may read the DAG, two of them for fewer."""
    app = FastAPI(
        title="Segments",
        dependencies=[Depends(requires_authenticated())],
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
    )

    def page(template: str, user: BaseUser, content: dict[str, Any], root: str = ".") -> HTMLResponse:
        viewer = Viewer(root, may_see(user, CUSTOMERS_VIEW), may_see(user, AUDIENCES_VIEW))
        return HTMLResponse(render(template, content, viewer, settings().currency), headers=_HEADERS)

    @app.get("/")
    def overview(user: Reader, day: date | None = None) -> HTMLResponse:
        from segmentation.pages.overview import overview

        return page("overview.html", user, overview(warehouse(), day, settings().currency))

    @app.get("/map")
    def customer_map(user: Reader, day: date | None = None) -> HTMLResponse:
        from segmentation.pages.map_view import map_view

        return page("map.html", user, map_view(warehouse(), day))

    @app.get("/segment/{segment_id}")
    def segment(user: Reader, segment_id: int, day: date | None = None) -> HTMLResponse:
        from segmentation.pages.segment_view import segment_view

        content = segment_view(warehouse(), segment_id, day, settings().currency)
        return page("segment.html", user, content, root="..")

    @app.get("/flows")
    def flows(user: Reader, first: date | None = None, last: date | None = None) -> HTMLResponse:
        from segmentation.pages.flows_view import flows_view

        return page("flows.html", user, flows_view(warehouse(), first, last))

    @app.get("/runs")
    def runs(user: Reader, day: date | None = None) -> HTMLResponse:
        from segmentation.pages.runs_view import runs_view

        return page("runs.html", user, runs_view(warehouse(), day))

    @app.get("/customer")
    def ask_for_customer(user: CustomersReader) -> HTMLResponse:
        return page("customer.html", user, {"asked": "", "customer": None})

    # the id comes in the body: an address is kept in access logs and in the browser's history
    @app.post("/customer")
    def customer(user: CustomersReader, form: Form) -> HTMLResponse:
        from segmentation.pages.customers_view import look_up

        asked = form.get("customer_id", "").strip().replace("\x00", "")
        found = look_up(warehouse(), asked, user.get_name(), _key()) if asked else {"customer": None}
        return page("customer.html", user, {"asked": asked, "stays": [], "taste_stays": [], "interests": []} | found)

    @app.get("/audiences")
    def audiences(user: AudienceTaker) -> HTMLResponse:
        from segmentation.pages.customers_view import audiences_view

        return page("audiences.html", user, audiences_view(warehouse()))

    @app.post("/audience.csv")
    def audience(user: AudienceTaker, form: Form) -> StreamingResponse:
        from segmentation.pages.customers_view import item_audience, segment_audience

        item = form.get("item", "").strip().replace("\x00", "")
        if item:
            made = item_audience(warehouse(), item, _whole(form.get("customers"), "customers"), user.get_name())
        else:
            made = segment_audience(warehouse(), _whole(form.get("segment"), "segment"), user.get_name())
        headers = _HEADERS | {"Content-Disposition": f'attachment; filename="{made.name}"'}
        return StreamingResponse(made.blocks(), media_type="text/csv; charset=utf-8", headers=headers)

    @app.get("/report/{day}")
    def report(user: Reader, day: date) -> FileResponse:
        from segmentation.lake import brought
        from segmentation.pages.night_report import report_file

        file = brought(report_file(settings(), day), anew=True)
        if not file.is_file():
            raise NotThere(
                f"There is no report of {day}: the day is not published, or its report was removed. "
                f"Make it by hand: segmentation report --day {day}"
            )
        return FileResponse(file, headers=_HEADERS | {"Content-Security-Policy": REPORT_POLICY})

    @app.get("/static/{name}")
    def static(user: Reader, name: str) -> FileResponse:
        file = STATIC / name
        if file.suffix not in _STATIC_TYPES or file.parent != STATIC or not file.is_file():
            raise HTTPException(404, "There is no such file.")
        # the browser asks again, and is told that nothing changed
        headers = _HEADERS | {"Cache-Control": "private, no-cache"}
        return FileResponse(file, media_type=_STATIC_TYPES[file.suffix], headers=headers)

    def problem(request: Request, status: int, title: str, *lines: str) -> Response:
        below = request.url.path.rpartition(SEGMENTS_PREFIX)[2].strip("/")
        viewer = Viewer(".." if "/" in below else ".")
        html = render("problem.html", {"problem": title, "lines": lines}, viewer, "")
        return HTMLResponse(html, status_code=status, headers=_HEADERS)

    @app.exception_handler(_Refused)
    def refused(request: Request, error: _Refused) -> Response:
        return problem(
            request, 403, "You may not see this", f"It takes {error.needed}. Ask an administrator of Airflow."
        )

    @app.exception_handler(NotThere)
    def not_there(request: Request, error: NotThere) -> Response:
        return problem(request, 404, "There is no such thing", str(error))

    @app.exception_handler(RequestValidationError)
    def not_understood(request: Request, error: RequestValidationError) -> Response:
        return problem(
            request, 422, "This address is not understood", "A day is written YYYY-MM-DD, a segment as its number."
        )

    @app.exception_handler(SegmentationError)
    def warehouse_fails(request: Request, error: SegmentationError) -> Response:
        logger.warning("The Segments page cannot be served: %s", error)
        title, remedy = _in_words(error)
        return problem(request, 503, title, _SERVED, remedy)

    @app.exception_handler(Exception)
    def unexpected(request: Request, error: Exception) -> Response:
        reference = secrets.token_hex(4)
        logger.error("The Segments page failed, reference %s", reference, exc_info=error)
        return problem(
            request,
            500,
            "Something went wrong",
            _SERVED,
            f"The API server's log says more; look there for reference {reference}.",
        )

    return app


def _key() -> str:
    """Return the secret that hashes of customer ids in the log are keyed with."""
    return str(conf.get("api_auth", "jwt_secret", fallback="") or conf.get("api", "secret_key"))


def _role_needed(view: str) -> str:
    return f'the permission "can read on {view}" (airflow roles add-perms ROLE -a can_read -r "{view}"), or the role op'


def _whole(text: str | None, name: str) -> int:
    if text is None or not text.isascii() or not text.isdecimal() or not 0 <= int(text[:12]) < 2**31:
        raise NotThere(f"{name} has to be a whole number.")
    return int(text[:12])


def _in_words(error: SegmentationError) -> tuple[str, str]:
    """Say what fails, and what to do, without hosts or users: readers of this page are not engineers."""
    engineers = "Data engineering has to"
    known: tuple[tuple[type[SegmentationError], str, str], ...] = (
        (
            DatabaseUnreachable,
            "The warehouse does not answer",
            "Try again in a minute; if it stays so, data engineering has to look at the warehouse's Postgres server.",
        ),
        (
            LoginRefused,
            "The warehouse refuses the login",
            f"{engineers} correct the Airflow connection of the warehouse and restart the API server.",
        ),
        (
            MissingConnection,
            "The warehouse's connection is missing",
            f"Set AIRFLOW_CONN_{WAREHOUSE.upper()} in the environment of the API server, too, and restart it.",
        ),
        (
            PermissionMissing,
            "The warehouse refuses to show its tables",
            f"{engineers} run `segmentation setup`, which gives the roles their rights.",
        ),
        (
            WarehouseNotReady,
            "The warehouse's tables are older than this page",
            f"{engineers} run `segmentation setup`, which brings them forward.",
        ),
        (
            WarehouseBusy,
            "The warehouse took too long",
            "Try again in a few minutes, or choose days that lie nearer together.",
        ),
    )
    for kind, title, remedy in known:
        if isinstance(error, kind):
            return title, remedy
    return "The page cannot be made", "The API server's log says why."
