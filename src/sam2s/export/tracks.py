"""``tracks.json``: everything a run found, one line per frame, written as it goes.

::

    {"format": "sam2s-tracks", "version": 1,
     "source": {"name": "op.mp4", "width": 1280, "height": 720, "fps": 29.97},
     "run": {"model": "nano", "memory": "diverse", ...},
     "frames": [
      {"index": 0, "time": 0.0, "objects": {"1": {"presence": 0.98, "score": 0.91,
                                                  "rle": {"size": [720, 1280], "counts": "..."}}}},
      ...
     ],
     "objects": {"1": {"class": "needle driver", "class_prob": 0.83}},
     "complete": true, "broke_at": null}

``index`` counts the source's frames from 0; ``time`` is in seconds by the source's timestamps, or
null; ``presence`` is the probability that the object is in view, ``score`` presence times predicted
IoU, both with six decimals; ``rle`` is COCO's compressed run-length code (column-major), all
background where the object is absent. Models that name instruments add ``class`` and
``class_prob``, its probability among the names the model knows; ``objects`` holds the class that a
whole track votes for (``class_votes``), and is left out where no object has one. After a break
``complete`` is false and ``broke_at`` is ``{"index", "time", "reason"}``: everything before that
frame is there. The source's name is stored without its folder. Readers ignore keys they do not
know. The schema is ``docs/tracks.schema.json``.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, field, replace
from io import RawIOBase
from pathlib import Path
from typing import Annotated, Any

import numpy as np

from sam2s.errors import InputError
from sam2s.export.class_votes import ClassVotes, SeenClass, VotedClass
from sam2s.masklets.masks import Rle, decode_rle, encode_rle
from sam2s.typed_json import AnyText, Bounds, Ids, build, parse_json, read_json, shown
from sam2s.types import FrameResult

FORMAT = "sam2s-tracks"
VERSION = 1
MAX_BYTES = 2**32
"""Largest file that is read."""
FileText = Annotated[str, AnyText()]
"""May hold the name of a file, which need not be text."""


@dataclass(frozen=True, slots=True)
class TrackedSource:
    """What was tracked. ``name``: a file's or folder's name without its path; sizes in pixels;
    ``fps`` or None."""

    name: FileText
    width: Annotated[int, Bounds(low=1)]
    height: Annotated[int, Bounds(low=1)]
    fps: float | None = None


@dataclass(frozen=True, slots=True)
class Breakage:
    """Where a run ended early: everything before frame ``index`` was written."""

    index: int
    time: float | None
    reason: FileText


@dataclass(frozen=True, slots=True)
class TrackedObject:
    """One object on one frame."""

    presence: float
    score: float
    rle: Rle
    class_name: str | None = field(default=None, metadata={"key": "class"})
    class_prob: float | None = None

    @property
    def mask(self) -> np.ndarray:
        """(H, W) bool."""
        return decode_rle(self.rle)


@dataclass(frozen=True, slots=True)
class TrackedFrame:
    """One frame: {object id: what was found}."""

    index: int
    time: float | None
    objects: Mapping[Annotated[int, Ids("object ids")], TrackedObject]


@dataclass(frozen=True, slots=True)
class Tracks:
    """A ``tracks.json``. ``run``: model, memory rule and whatever else the run wrote down;
    ``objects``: the classes of whole tracks, where the model knew one."""

    source: TrackedSource
    run: Mapping[str, Any]
    frames: tuple[TrackedFrame, ...]
    objects: Mapping[Annotated[int, Ids("object ids")], VotedClass] = field(default_factory=dict)
    complete: bool = True
    broke_at: Breakage | None = None
    version: int = field(default=VERSION)


@dataclass(frozen=True, slots=True)
class _Head:
    """What `read_head` answers for."""

    format: str
    source: TrackedSource


BROKEN_OFF = Breakage(0, None, "the run was killed")
"""What a file says that holds no frame yet."""


class TracksWriter:
    """Writes ``tracks.json`` to ``path`` line by line.

    The file is valid JSON after every line: an end stands behind it that says the run was broken
    off there, and the next line takes its place. So what a killed run or a full disk leaves behind
    can be read, and to finish it no room is needed that is not there.
    """

    def __init__(self, path: Path, source: TrackedSource, run: Mapping[str, Any]) -> None:
        head = {"format": FORMAT, "version": VERSION, "source": asdict(source), "run": dict(run)}
        # Unbuffered: what a full disk refuses is refused here, not later.
        self._file: RawIOBase = open(path, "wb", buffering=0)  # noqa: SIM115 (closed by close)
        self._end = 0
        self._votes = ClassVotes()
        self.frames = 0
        try:
            self._append(_dump(head)[:-1].encode() + b',\n"frames": [', BROKEN_OFF, self._votes)
        except BaseException:
            self._file.close()
            raise

    def classes_after(self, result: FrameResult) -> dict[int, str]:
        """{object id: class} of the tracks so far, with a frame that is still to be written."""
        named = self._votes.with_frame(_seen(result)).named()
        return {i: one.class_name for i, one in named.items()}

    def write(self, result: FrameResult) -> None:
        """Add one frame. After an ``OSError`` the file is as it was before."""
        objects = {str(object_id): _object(result, object_id) for object_id in sorted(result.masks)}
        line = _dump({"index": result.index, "time": result.time, "objects": objects})
        before, self._votes = self._votes, self._votes.with_frame(_seen(result))
        until = Breakage(result.index + 1, None, "the run was killed")
        try:
            self._append(((",\n" if self.frames else "\n") + line).encode(), until, before)
        except OSError:
            self._votes = before
            raise
        self.frames += 1

    def close(self, broke_at: Breakage | None = None) -> None:
        """Write the end; a line that an interrupt cut off is taken back first."""
        if self._file.closed:
            return
        self._replace_end(_tail(broke_at, self._votes))
        self._file.close()

    def discard(self) -> None:
        """Close as it is; the file is to be deleted."""
        self._file.close()

    def _append(self, line: bytes, until: Breakage, votes_before: ClassVotes) -> None:
        try:
            self._write_at(self._end, line + _tail(until, self._votes))
        except OSError:
            with suppress(OSError):  # there was room for an end before
                self._replace_end(_tail(replace(until, index=until.index - 1), votes_before))
            raise
        self._end += len(line)

    def _replace_end(self, tail: bytes) -> None:
        self._write_at(self._end, tail)
        self._file.truncate(self._end + len(tail))

    def _write_at(self, place: int, content: bytes) -> None:
        self._file.seek(place)
        rest = memoryview(content)
        while rest:
            rest = rest[self._file.write(rest) :]


def _tail(broke_at: Breakage | None, votes: ClassVotes) -> bytes:
    named = {
        str(i): {"class": one.class_name, "class_prob": one.class_prob}
        for i, one in votes.named().items()
    }
    end = {
        **({"objects": named} if named else {}),
        "complete": broke_at is None,
        "broke_at": None if broke_at is None else asdict(broke_at),
    }
    return b"\n],\n" + _dump(end)[1:].encode() + b"\n"


def _seen(result: FrameResult) -> dict[int, SeenClass]:
    """What the model called the objects of a frame."""
    return {
        i: SeenClass(name, float(result.class_probs[i]), float(result.presence[i]))
        for i, name in result.classes.items()
    }


def _object(result: FrameResult, object_id: int) -> dict[str, Any]:
    plain = {
        "presence": round(float(result.presence[object_id]), 6),
        "score": round(float(result.scores[object_id]), 6),
        "rle": encode_rle(result.masks[object_id]),
    }
    if object_id in result.classes:
        named = {
            "class": result.classes[object_id],
            "class_prob": round(float(result.class_probs[object_id]), 6),
        }
        plain = {**plain, **named}
    return plain


def read_tracks(path: Path | str) -> Tracks:
    """Read a ``tracks.json`` back; masks stay encoded until ``TrackedObject.mask`` is asked for.

    Raises InputError when there is no such file, it is not a ``tracks.json``, or of a later
    version.
    """
    path = Path(path)
    if not path.exists():
        raise InputError(f"{path}: no such file")
    anything: Any = Any
    content = read_json(path, anything, max_bytes=MAX_BYTES)
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        raise InputError(f'{path}: not a tracks file; expected "format": "{FORMAT}" at its top')
    if content.get("version") != VERSION:
        raise InputError(
            f"{path}: is version {shown(content.get('version'))}, this program reads version"
            f" {VERSION}"
        )
    try:
        lacking = [key for key in ("complete", "broke_at") if key not in content]
        if lacking:
            raise InputError(f"it is incomplete: lacks {lacking[0]}")
        return build(content, Tracks, "in it")
    except InputError as error:
        raise InputError(f"{path}: damaged tracks file ({error})") from error


def read_head(path: Path | str) -> dict[str, Any]:
    """The first line of a ``tracks.json``: format, version, source and run. Empty when it is
    something else."""
    if not Path(path).is_file():  # a pipe would be waited for
        return {}
    with open(path, encoding="utf-8", errors="replace") as file:
        line = file.readline(1_000_000).rstrip()
    try:
        head = parse_json(line.removesuffix(",") + "}", dict[str, Any], str(path))
        build(head, _Head, str(path))
    except InputError:
        return {}
    return head if head["format"] == FORMAT else {}


def _dump(value: Any) -> str:
    return json.dumps(value, allow_nan=False)
