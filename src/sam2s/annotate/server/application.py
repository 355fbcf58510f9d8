"""The application: routes behind the gate, errors as one line each."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp

from sam2s import __version__
from sam2s.annotate.database import NotSaved
from sam2s.annotate.export_work import Exports
from sam2s.annotate.server import routes_files, routes_project, routes_video
from sam2s.annotate.server.gate import Gate
from sam2s.annotate.server.page_folder import PAGE
from sam2s.annotate.server.page_messages import RefusedMessage
from sam2s.annotate.server.sign_in import SignIn
from sam2s.annotate.session_log import Outdated
from sam2s.annotate.workspace import Workspace
from sam2s.errors import Sam2sError

STATUS: dict[type[Sam2sError], int] = {Outdated: 409, NotSaved: 507}
"""Of errors that a page treats in its own way; others are 400."""

REFUSALS: dict[int | str, dict[str, Any]] = {
    400: {"model": RefusedMessage, "description": "What was asked for makes no sense here."},
    401: {"model": RefusedMessage, "description": "Not signed in."},
    403: {"model": RefusedMessage, "description": "From another page, or under another name."},
    409: {"model": RefusedMessage, "description": "The session was changed elsewhere."},
    413: {"model": RefusedMessage, "description": "The request is too long."},
    422: {"model": RefusedMessage, "description": "A field is missing, unknown or out of range."},
    507: {"model": RefusedMessage, "description": "The disk refuses; nothing was changed."},
}
"""What any request may be answered."""


def make_application(work: Workspace, sign_in: SignIn, hosts: Collection[str]) -> ASGIApp:
    """The server of a workspace. ``hosts``: what a request's ``Host`` may say."""
    app = FastAPI(
        title="SAM2S annotate",
        responses=REFUSALS,
        version=__version__,
        docs_url=None,  # its pages load scripts from elsewhere
        redoc_url=None,
        openapi_url="/api/openapi.json",
    )
    app.state.workspace, app.state.sign_in = work, sign_in
    app.state.exports = Exports(work)
    for routes in (routes_project.router, routes_video.router, routes_files.router):
        app.include_router(routes)
    app.mount("/page", StaticFiles(directory=PAGE))
    app.add_exception_handler(Sam2sError, _said)
    app.add_exception_handler(RequestValidationError, _misunderstood)
    app.add_exception_handler(HTTPException, _refused)
    app.add_exception_handler(RecursionError, _too_deep)
    return Gate(app, sign_in, hosts)


def _said(_: Request, error: Exception) -> JSONResponse:
    status = STATUS.get(type(error), 400)  # type: ignore[arg-type]
    return _line(status, " ".join(str(error).split()))


def _misunderstood(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)
    first = error.errors()[0]
    place = ".".join(str(part) for part in first["loc"] if part not in ("body", "path", "query"))
    return _line(422, f"{place}: {first['msg']}" if place else str(first["msg"]))


def _refused(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)
    return _line(error.status_code, str(error.detail))


def _too_deep(_: Request, __: Exception) -> JSONResponse:
    return _line(400, "nested too deeply")


def _line(status: int, text: str) -> JSONResponse:
    safe = text.encode("utf-8", "replace").decode()
    return JSONResponse({"error": safe[:1000]}, status_code=status)
