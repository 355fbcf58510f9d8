"""Imports: masks of other tools become new objects of a session, beside what is there."""

from __future__ import annotations

import shutil
import tempfile
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from sam2s.annotate.archives import unpack
from sam2s.annotate.frame_reader import FrameReader
from sam2s.annotate.run_table import RunRecord
from sam2s.annotate.video_room import VideoRoom
from sam2s.errors import InputError
from sam2s.formats.registry import FORMATS
from sam2s.tracking.session.actions import Name, Propagate
from sam2s.tracking.session.mask_store import FoundMask
from sam2s.tracking.session.ranges import Stretch

UNNAMED = "imported"


def import_masks(room: VideoRoom, name: str, upload: Path) -> dict[str, int]:
    """Read ``upload`` (one file of format ``name``, or a zip of its folder) in a process of its
    own, and add its objects under new numbers: a name each, then one action with all masks, so one
    undo hides them. Gives {name: number}.

    Raises ``InputError`` for files that are not of the format, and for masks that do not fit the
    video; then nothing has changed.
    """
    chosen = FORMATS.get(name)
    if chosen is None or chosen.read is None:
        can = ", ".join(key for key, one in FORMATS.items() if one.read is not None)
        raise InputError(f"format: expected one that can be read back: {can}")
    with tempfile.TemporaryDirectory() as temporary:
        place = _laid_out(upload, Path(temporary))
        reader = FrameReader(None)
        try:
            head = reader.open_masks(name, place)
            _check(head, room)
            found = list(_checked_frames(reader.following_masks(), room))
        finally:
            reader.close()
    return _add(room, head, [item for item in found if item[1]])


def _laid_out(upload: Path, folder: Path) -> Path:
    """The folder of an archive, or a file with an ending that readers know."""
    if zipfile.is_zipfile(upload):
        unpack(upload, folder)
        return folder
    with upload.open("rb") as file:
        start = file.read(64).lstrip(b"\xef\xbb\xbf \t\r\n")
    ending = {b"<": ".xml", b"{": ".json", b"[": ".json"}.get(start[:1], ".txt")
    place = folder / f"masks{ending}"
    shutil.copyfile(upload, place)
    return place


def _check(head: Mapping[str, Any], room: VideoRoom) -> None:
    facts = room.facts
    if (head["height"], head["width"]) != (facts.height, facts.width):
        raise InputError(
            f"its masks are {head['width']} x {head['height']} pixels, the video"
            f" {facts.width} x {facts.height}"
        )


def _checked_frames(
    frames: Iterator[tuple[int, dict[int, Any]]], room: VideoRoom
) -> Iterator[tuple[int, dict[int, FoundMask]]]:
    for frame, masks in frames:
        if not 0 <= frame < room.facts.count:
            raise InputError(
                f"it has masks on frame {frame}, the video has frames 0 to {room.facts.count - 1}"
            )
        yield frame, {i: _found(item, room) for i, item in masks.items()}


def _found(item: Sequence[Any], room: VideoRoom) -> FoundMask:
    rle, presence, score = item
    if list(rle["size"]) != [room.facts.height, room.facts.width]:
        raise InputError("a mask of it is of another size than the others")
    seen = float(FoundMask(rle, 0.0, 0.0).mask.any())
    return FoundMask(rle, seen if presence is None else presence, seen if score is None else score)


def _add(
    room: VideoRoom, head: Mapping[str, Any], found: list[tuple[int, dict[int, FoundMask]]]
) -> dict[str, int]:
    if not found:
        raise InputError("it holds no masks")
    old = sorted({i for _, masks in found for i in masks})
    first = max(room.session.history.notes.objects, default=0) + 1
    numbers = {i: first + k for k, i in enumerate(old)}
    names = {i: str(head["names"].get(str(i)) or f"{UNNAMED} {i}") for i in old}
    for i in old:
        room.log.do(Name(numbers[i], names[i]))
    frames = Stretch(min(f for f, _ in found), max(f for f, _ in found))
    entry = room.log.do(Propagate(tuple(numbers.values()), frames))
    for frame, masks in found:
        room.masks.write_beside(entry.number, frame, {numbers[i]: m for i, m in masks.items()}, {})
    count = len(found)
    room.runs.put(RunRecord(entry.number, "import", "done", (), count, count))
    return {f"{names[i]} ({numbers[i]})": numbers[i] for i in old}
