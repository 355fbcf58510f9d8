"""``objects.json``, beside formats that hold pixels and nothing else: which frames and objects
these are."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated

from sam2s.errors import InputError
from sam2s.files import write_json
from sam2s.formats.result import MAX_BYTES, UNNAMED, Key, ObjectMask, Result, collected
from sam2s.media.pictures import MAX_PIXELS, check_pixels
from sam2s.typed_json import Ids, read_json

FILE = "objects.json"
ObjectId = Annotated[int, Ids("object ids")]


@dataclass(frozen=True, slots=True)
class Sidecar:
    """``height`` and ``width`` in pixels; ``frames`` and ``times``: numbers and seconds of the
    frames in the order in which they are stored; ``files``: where each object's masks are;
    ``names``: classes, where known."""

    video: str
    height: int
    width: int
    fps: float | None
    frames: tuple[int, ...]
    times: tuple[float | None, ...]
    files: Mapping[ObjectId, str]
    names: Mapping[ObjectId, str]

    def result(self, found: Mapping[int, Mapping[Key, ObjectMask]]) -> Result:
        """The masks {frame: {object id: mask}}, with what is said here."""
        names: dict[Key, str] = {i: self.names.get(i, UNNAMED) for i in self.files}
        times = dict(zip(self.frames, self.times, strict=True))
        size = self.height, self.width
        return collected(self.video, size, found, names, self.fps, times)


def write_sidecar(result: Result, out: Path, files: Mapping[int, str]) -> Sidecar:
    """Write ``out/objects.json``; ``files`` {object id: name of its file}."""
    frames = [(frame.index, frame.time) for frame in result.frames()]
    about = Sidecar(
        result.video,
        *result.size,
        result.fps,
        tuple(index for index, _ in frames),
        tuple(time for _, time in frames),
        files,
        result.names,
    )
    write_json(out / FILE, asdict(about))
    return about


def read_sidecar(folder: Path) -> Sidecar:
    """Raises InputError where there is none, or it is none."""
    about = read_json(folder / FILE, Sidecar, max_bytes=MAX_BYTES)
    if not len(set(about.frames)) == len(about.frames) == len(about.times):
        raise InputError(f"{folder / FILE}: frames and times are not one for each frame")
    check_pixels(about.height, about.width, MAX_PIXELS, str(folder / FILE))
    return about
