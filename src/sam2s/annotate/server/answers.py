"""What pages are told, as JSON: sessions, masks, lanes."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any

import numpy as np

from sam2s.annotate.lanes import Lane, lanes
from sam2s.annotate.run_table import RunRecord
from sam2s.annotate.session_log import Session
from sam2s.annotate.tracking_queue import run_content
from sam2s.annotate.video_room import VideoRoom
from sam2s.export.overlay import colour_of
from sam2s.tracking.session.action_file import rows_of
from sam2s.tracking.session.history import Entry, History
from sam2s.tracking.session.mask_store import FoundMask, shown_version
from sam2s.tracking.session.notes import Given, ObjectNotes, Run
from sam2s.tracking.session.ranges import Stretches


def session_answer(session: Session, runs: tuple[RunRecord, ...]) -> dict[str, Any]:
    """Everything that the log says; masks given as prompts are named, not sent."""
    history = session.history
    notes = history.notes
    known = {record.version: record for record in runs}
    return {
        "revision": session.revision,
        "undo": _label(history.done[-1]) if history.done else None,
        "redo": _label(history.undone[-1]) if history.undone else None,
        "objects": [object_answer(i, mine) for i, mine in sorted(notes.objects.items())],
        "out_of_body": _parts(notes.out_of_body),
        "runs": [run_answer(run, known.get(version)) for version, run in notes.runs.items()],
    }


def object_answer(object_id: int, mine: ObjectNotes) -> dict[str, Any]:
    """One object: name, colour as in overlays, prompts by frame, absent and locked stretches."""
    return {
        "id": object_id,
        "name": mine.name,
        "colour": list(colour_of(object_id)),
        "given": {str(frame): _given(given) for frame, given in sorted(mine.given.items())},
        "absent": _parts(mine.absent),
        "locked": _parts(mine.locked),
    }


def run_answer(run: Run, record: RunRecord | None) -> dict[str, Any]:
    """One run: what it covers, how far it is, and whether it was accepted."""
    progress = {"state": "done"} if record is None else run_content(record)
    return {
        **progress,
        "version": run.version,
        "objects": list(run.object_ids),
        "frames": [run.frames.first, run.frames.last],
        "accepted": run.accepted,
    }


def masks_answer(room: VideoRoom, frame: int) -> dict[str, Any]:
    """The masks that are shown on a frame; ``before``: what would be shown without the run that
    made a mask, while nobody has judged that run."""
    history = room.session.history
    found = {}
    for object_id, mine in history.notes.objects.items():
        version = shown_version(history, room.masks, object_id, frame)
        if version is None:
            if frame in mine.absent:
                found[str(object_id)] = {"version": 0, "presence": 0.0, "score": 0.0, "rle": None}
            continue
        answer = mask_answer(version, room.masks.read(version, object_id, frame))
        run = history.notes.runs.get(version)
        if run is not None and run.accepted is None:
            answer["before"] = _before(history, room, object_id, frame, version)
        found[str(object_id)] = answer
    time = room.times[frame] if frame < len(room.times) else None
    return {"frame": frame, "time": time, "masks": found}


def mask_answer(version: int, found: FoundMask) -> dict[str, Any]:
    """One mask."""
    return {
        "version": version,
        "presence": round(found.presence, 4),
        "score": round(found.score, 4),
        "class": found.class_name,
        "rle": found.rle,
    }


def lanes_answer(room: VideoRoom) -> dict[str, Any]:
    """Every object's lane: bytes in base64 (see `sam2s.annotate.lanes.Lane`)."""
    count = room.facts.count
    found = lanes(room.masks.marks(room.session.history), count)
    return {
        "frames": count,
        "revision": room.session.revision,
        "objects": {str(i): _lane(lane) for i, lane in found.items()},
    }


def _lane(lane: Lane) -> dict[str, str]:
    return {
        "states": _text(lane.states),
        "scores": _text(lane.scores),
        "alarms": _text(lane.alarms),
    }


def _text(values: np.ndarray) -> str:
    return base64.b64encode(values.tobytes()).decode("ascii")


def _before(
    history: History, room: VideoRoom, object_id: int, frame: int, version: int
) -> dict[str, Any] | None:
    """The mask that was shown before run ``version``."""
    kept = History(tuple(e for e in history.done if e.number < version), (), history.used)
    earlier = shown_version(kept, room.masks, object_id, frame)
    if earlier is None:
        return None
    return mask_answer(earlier, room.masks.read(earlier, object_id, frame))


def _given(given: Given) -> Mapping[str, Any]:
    points = given.points
    clicks = (
        []
        if points is None
        else [
            [float(x), float(y), int(label)]
            for (x, y), label in zip(points.xy.tolist(), points.labels.tolist(), strict=True)
        ]
    )
    box = None if given.box is None else [float(v) for v in given.box.xyxy]
    return {"clicks": clicks, "box": box, "mask": given.mask is not None}


def _parts(stretches: Stretches) -> list[list[int]]:
    return [[part.first, part.last] for part in stretches.parts]


def _label(entry: Entry) -> str:
    """What undo and redo would change, in a few words."""
    row = rows_of(entry.action)[0]
    words = {"out_of_body": "out of body", "in_body": "in body"}.get(row["action"], row["action"])
    of = f", object {row['object']}" if "object" in row else ""
    on = f", frame {row['frame']}" if "frame" in row else ""
    return f"{words}{of}{on}"
