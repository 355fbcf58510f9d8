"""Frames, sessions, previews and runs of a video."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Path, Query, Request, Response

from sam2s.annotate.run_plan import RunRequest
from sam2s.annotate.server.action_check import checked_action
from sam2s.annotate.server.answers import lanes_answer, mask_answer, masks_answer, session_answer
from sam2s.annotate.server.page_messages import (
    DoMessage,
    Frame_,
    LookMessage,
    PreviewMessage,
    RunMessage,
    UndoMessage,
    Version,
)
from sam2s.annotate.tracking_queue import mark_content, run_content
from sam2s.annotate.video_room import VideoRoom
from sam2s.annotate.workspace import Workspace
from sam2s.errors import InputError

VideoId = Annotated[str, Path(pattern="^[0-9a-f]{16}$")]
router = APIRouter(prefix="/api/videos/{video}")


def workspace(request: Request) -> Workspace:
    """What this server works on."""
    found: Workspace = request.app.state.workspace
    return found


def _room(request: Request, video: str) -> VideoRoom:
    return workspace(request).room(video)


@router.get("")
def video_facts(request: Request, video: VideoId) -> dict[str, Any]:
    """Size, rate and count of frames."""
    room = _room(request, video)
    facts = room.facts
    return {
        "id": video,
        "name": workspace(request).project.video(video).name,
        "width": facts.width,
        "height": facts.height,
        "fps": facts.fps,
        "frames": facts.count,
        "indexed": facts.indexed,
        "index_error": room.index_error,
        "damage": facts.damage,
        "notes": list(facts.notes),
    }


@router.get(
    "/frames/{frame}",
    response_class=Response,
    responses={200: {"content": {"image/jpeg": {}}, "description": "The frame."}},
)
def picture(
    request: Request,
    video: VideoId,
    frame: Annotated[Frame_, Path()],
    side: Annotated[int | None, Query(ge=16, le=4096)] = None,
) -> Response:
    """A frame as a JPEG; ``side``: longest side in pixels of a small one."""
    data = workspace(request).jpeg(video, frame, side)
    return Response(data, media_type="image/jpeg")


@router.get("/frames/{frame}/masks")
def masks(request: Request, video: VideoId, frame: Annotated[Frame_, Path()]) -> dict[str, Any]:
    """The masks that are shown on a frame."""
    return masks_answer(_room(request, video), frame)


@router.get("/frame-at")
def frame_at(
    request: Request, video: VideoId, seconds: Annotated[float, Query(ge=0, le=1e7)]
) -> dict[str, int]:
    """The frame that is shown at a time of the video's clock."""
    return {"frame": _room(request, video).frame_at(seconds)}


@router.get("/session")
def session(request: Request, video: VideoId) -> dict[str, Any]:
    """Everything that the log says."""
    room = _room(request, video)
    return session_answer(room.session, workspace(request).queue.records(room))


@router.get("/lanes")
def timeline(request: Request, video: VideoId) -> dict[str, Any]:
    """Every object's lane of the timeline."""
    return lanes_answer(_room(request, video))


@router.post("/actions")
def do(request: Request, video: VideoId, message: DoMessage) -> dict[str, Any]:
    """Add an action; answered when it is on the disk. ``behind``: others had changed the session
    since the page has last seen it, and this action stands after theirs."""
    room = _room(request, video)
    behind = message.seen is not None and message.seen != room.session.revision
    entry = room.log.do(checked_action(message.action, room.facts))
    return {"number": entry.number, "revision": room.session.revision, "behind": behind}


@router.post("/undo")
def undo(request: Request, video: VideoId, message: UndoMessage) -> dict[str, Any]:
    """Take back the latest action; a run that is under way is stopped."""
    room, queue = _room(request, video), workspace(request).queue
    entry = room.log.undo(message.seen)
    job = queue.find(video, entry.number)
    if job is not None:
        queue.cancel(job)
    return {"number": entry.number, "revision": room.session.revision}


@router.post("/redo")
def redo(request: Request, video: VideoId, message: UndoMessage) -> dict[str, Any]:
    """Bring back what was undone last."""
    room = _room(request, video)
    entry = room.log.redo(message.seen)
    return {"number": entry.number, "revision": room.session.revision}


@router.post("/look", status_code=204)
def look(request: Request, video: VideoId, message: LookMessage) -> None:
    """Someone looks at a frame and may click on it next: its features are encoded ahead."""
    workspace(request).look(video, message.frame)


@router.post("/preview")
def preview(request: Request, video: VideoId, message: PreviewMessage) -> dict[str, Any]:
    """What the prompts of an object show on a frame; kept, so that it is there after a restart."""
    room = _room(request, video)
    version, found = workspace(request).previewer.preview(
        room.session.history,
        room.masks,
        message.object,
        lambda: room.reader.frame(message.frame),
        message.frame,
    )
    marks = room.masks.write_beside(version, message.frame, {message.object: found}, {})
    return {
        "object": message.object,
        "frame": message.frame,
        "mark": mark_content(marks[message.object]),
        "mask": mask_answer(version, found),
    }


@router.post("/runs")
def track(request: Request, video: VideoId, message: RunMessage) -> dict[str, Any]:
    """Queue a tracking run."""
    asked = RunRequest(
        tuple(sorted(set(message.objects))), message.frame, message.direction, message.length
    )
    return run_content(workspace(request).track(video, asked))


@router.post("/runs/{version}/{what}")
def steer(
    request: Request,
    video: VideoId,
    version: Annotated[Version, Path()],
    what: Literal["pause", "resume", "cancel", "continue"],
) -> dict[str, Any]:
    """Pause, resume or cancel a run under way, or continue one that ended early."""
    work = workspace(request)
    if what == "continue":
        return run_content(work.go_on(video, version))
    job = work.queue.find(video, version)
    if job is None:
        raise InputError(f"run {version}: is not under way")
    {"pause": work.queue.pause, "resume": work.queue.resume, "cancel": work.queue.cancel}[what](job)
    return run_content(job.record, job.rate)


@router.get("/runs/{version}/memories")
def memories(
    request: Request, video: VideoId, version: Annotated[Version, Path()]
) -> dict[str, list[int]]:
    """{object id: frames} that the run's long-term memory held."""
    found = _room(request, video).runs.memories(version)
    return {str(i): list(frames) for i, frames in found.items()}
