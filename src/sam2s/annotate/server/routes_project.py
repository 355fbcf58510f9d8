"""The project, its events, and signing in."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

from fastapi import APIRouter, Request, Response
from fastapi.responses import FileResponse, HTMLResponse, JSONResponse, StreamingResponse

from sam2s.annotate.lanes import DOUBLE, DRIFT
from sam2s.annotate.project import ProjectVideo
from sam2s.annotate.server.page_folder import PAGE
from sam2s.annotate.server.page_messages import LoginMessage
from sam2s.annotate.server.routes_video import workspace
from sam2s.annotate.server.sign_in import SignIn
from sam2s.export.overlay import COLOURS
from sam2s.formats.registry import FORMATS
from sam2s.masklets.vocabulary import INSTRUMENTS, TISSUES

ENTER = (
    '<!doctype html><html lang="en"><meta charset="utf-8">'
    '<meta http-equiv="refresh" content="0; url=/"><title>SAM2S</title>'
    '<p>Opening the page. <a href="/">Go on</a></p></html>'
)
"""Not a redirect: after one that began at another page, browsers would hold back the cookie."""
router = APIRouter()


def keys(request: Request) -> SignIn:
    """Who may ask."""
    found: SignIn = request.app.state.sign_in
    return found


@router.get("/", include_in_schema=False)
def enter(request: Request, token: str | None = None) -> Response:
    """The page for who is signed in; with a one-time token, the cookie for the next request."""
    signed_in = keys(request).knows(request.cookies.get(keys(request).cookie))
    if token is not None:
        key = keys(request).use_link(token)
        if key is not None:
            return with_cookie(HTMLResponse(ENTER), keys(request), key)
        if signed_in:
            return HTMLResponse(ENTER)
    if signed_in:
        return FileResponse(PAGE / "index.html")
    return FileResponse(PAGE / "sign_in.html", status_code=401)


@router.post("/api/login")
def login(request: Request, message: LoginMessage) -> Response:
    """The cookie for the right password, on servers that have one."""
    key = keys(request).use_password(message.password)
    if key is None:
        return JSONResponse({"error": "that is not the password"}, status_code=403)
    return with_cookie(JSONResponse({"signed_in": True}), keys(request), key)


@router.post("/api/links")
def new_link(request: Request) -> dict[str, str]:
    """A one-time address for another browser."""
    return {"address": f"{request.base_url}?token={keys(request).new_link()}"}


@router.get("/api/project")
def project(request: Request) -> dict[str, Any]:
    """What the page has to know before anything is opened."""
    work = workspace(request)
    return {
        "name": work.project.folder.name,
        "folder": str(work.project.folder),
        "videos": [_video(video) for video in work.project.videos],
        "model": {
            "name": str(work.models.choice.model),
            "state": work.models.state,
            "loaded": work.models.is_loaded,
        },
        "classes": {"instrument": list(INSTRUMENTS), "tissue": list(TISSUES)},
        "colours": [list(colour) for colour in COLOURS],
        "alarms": {"drift": DRIFT, "double": DOUBLE},
        "formats": [
            {
                "name": name,
                "keeps": one.keeps,
                "reads": one.read is not None,
                "overlap": one.overlap,
                "polygons": one.outlines == "option",
            }
            for name, one in FORMATS.items()
        ],
    }


@router.get("/api/events", include_in_schema=False)
async def events(request: Request) -> StreamingResponse:
    """Progress, masks and changes, as they come (text/event-stream)."""

    async def lines() -> AsyncIterator[str]:
        with workspace(request).bus.listening() as stream:
            async for line in stream.lines():
                yield line

    return StreamingResponse(lines(), media_type="text/event-stream")


def with_cookie(answer: Response, sign_in: SignIn, key: str) -> Response:
    """The answer, which tells the browser to keep the key: no script reads it, no other page sends
    it."""
    answer.set_cookie(sign_in.cookie, key, httponly=True, samesite="strict", path="/")
    return answer


def _video(video: ProjectVideo) -> dict[str, Any]:
    return {"id": video.id, "name": video.name, "trouble": video.trouble}
