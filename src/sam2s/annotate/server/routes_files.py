"""Files that go in and out: mask pictures, imports, exports, data to fine-tune on."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Annotated, Any

from anyio import to_thread
from fastapi import APIRouter, Query, Request
from fastapi import Path as InPath
from fastapi.responses import FileResponse
from starlette.background import BackgroundTask

from sam2s.annotate.export_work import ExportMade, ExportRequest, Exports
from sam2s.annotate.import_work import import_masks
from sam2s.annotate.server.page_messages import ExportMessage, Frame_, ObjectId
from sam2s.annotate.server.routes_video import VideoId, workspace
from sam2s.errors import InputError
from sam2s.files import not_written
from sam2s.tracking.session.actions import Give
from sam2s.tracking.session.ranges import Stretch
from sam2s.types import Mask

router = APIRouter(prefix="/api")
BODY = {"content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}}}


def _exports(request: Request) -> Exports:
    found: Exports = request.app.state.exports
    return found


@router.post("/videos/{video}/exports")
def export(request: Request, video: VideoId, message: ExportMessage) -> dict[str, Any]:
    """Write masks in another tool's format, into the project; answered when they are verified."""
    ranges = [Stretch(part.first, part.last) for part in message.ranges]
    asked = ExportRequest(
        message.format, message.objects, ranges, message.allow_loss, message.polygons
    )
    return _made(_exports(request).make(video, asked))


@router.post("/videos/{video}/training-set")
def training_set(request: Request, video: VideoId) -> dict[str, Any]:
    """Write frames and masks to train on, and give the command that does."""
    exports = _exports(request)
    made = exports.make_training_set(video)
    return {**_made(made), "command": exports.finetune_command(made)}


@router.get(
    "/exports/{export_id}",
    response_class=FileResponse,
    responses={200: {"content": {"application/zip": {}}, "description": "The files."}},
)
def download(
    request: Request, export_id: Annotated[str, InPath(pattern="^[0-9a-f]{16}$")]
) -> FileResponse:
    """An export as one zip file."""
    file = _temporary(".zip")
    name = _exports(request).archive(export_id, file)
    return FileResponse(file, filename=name, background=BackgroundTask(file.unlink))


@router.post("/videos/{video}/imports", openapi_extra={"requestBody": BODY})
async def import_file(
    request: Request, video: VideoId, format: Annotated[str, Query(max_length=50)]
) -> dict[str, Any]:
    """Add the objects of a file in another tool's format, or of a zip of its folder."""
    file = _temporary(".upload")
    try:
        with file.open("wb") as out:
            async for block in request.stream():
                await to_thread.run_sync(out.write, block)
        room = await to_thread.run_sync(workspace(request).room, video)
        added = await to_thread.run_sync(import_masks, room, format, file)
    except OSError as error:
        raise not_written(file, error) from error
    finally:
        file.unlink(missing_ok=True)
    return {"objects": added, "revision": room.session.revision}


@router.post("/videos/{video}/mask-file", openapi_extra={"requestBody": BODY})
async def mask_file(
    request: Request,
    video: VideoId,
    object: Annotated[ObjectId, Query()],
    frame: Annotated[Frame_, Query()],
) -> dict[str, Any]:
    """A picture of an object, as its mask on a frame."""
    data = await request.body()
    return await to_thread.run_sync(_give_mask, request, video, object, frame, data)


def _give_mask(
    request: Request, video: str, object_id: int, frame: int, data: bytes
) -> dict[str, Any]:
    room = workspace(request).room(video)
    facts = room.facts
    if frame >= facts.count:
        raise InputError(f"frame {frame}: the video has frames 0 to {facts.count - 1}")
    mask = workspace(request).pictures.mask(data)
    if mask.shape != (facts.height, facts.width):
        raise InputError(
            f"the picture is {mask.shape[1]} x {mask.shape[0]} pixels, the video {facts.width} x"
            f" {facts.height}"
        )
    entry = room.log.do(Give(object_id, frame, Mask(mask)))
    return {"number": entry.number, "revision": room.session.revision}


def _made(made: ExportMade) -> dict[str, Any]:
    return {
        "id": made.id,
        "folder": str(made.folder),
        "frames": made.frames,
        "notes": list(made.notes),
    }


def _temporary(ending: str) -> Path:
    with tempfile.NamedTemporaryFile(suffix=ending, delete=False) as file:
        return Path(file.name)
