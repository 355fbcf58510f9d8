"""The process that decodes videos and pictures for the server.

Files come from strangers and decoders are large: this process has a limit of memory, the server
gives it a limit of time, and when it dies the server starts another one. It ends when the server
does, however that ends.
"""

from __future__ import annotations

import io
import json
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from sam2s.annotate.decoder_protocol import receive, send
from sam2s.annotate.frame_index import pack, unpack
from sam2s.errors import DamagedSource, InputError, Sam2sError
from sam2s.formats.registry import FORMATS
from sam2s.masklets.shown import shown_mask
from sam2s.media.frames import open_frames
from sam2s.media.pictures import read_picture
from sam2s.media.random_access import RandomAccess
from sam2s.types import Frame

MEMORY = 2 * 2**30
"""Bytes of address space beyond those that the process has when it starts."""
QUALITY = 90
STEPS = 200
"""Frames between two words on how far an index is."""
NEAR = 48
"""Frames ahead up to which reading on is quicker than a seek."""
Answer = tuple[Mapping[str, Any], bytes | memoryview]


class MaskFile:
    """Masks in another tool's files, frame by frame."""

    def __init__(self, form: str, path: str) -> None:
        read = FORMATS[form].read
        assert read is not None, "the server asks for formats that are read"
        try:
            self.result = read(Path(path))
            self._frames = self.result.frames()
        except Sam2sError as error:
            # Their names are those of a temporary folder, which says nothing to anyone.
            text = str(error).replace(f"{path}/", "").replace(path, "the file")
            raise InputError(text) from error
        except (MemoryError, RecursionError):
            raise
        except Exception as error:
            raise InputError(f"not a file of format {form} ({error!r})"[:300]) from error

    def about(self) -> Mapping[str, Any]:
        """Size and names of the objects."""
        height, width = self.result.size
        names = {str(i): name for i, name in self.result.names.items()}
        return {"height": height, "width": width, "names": names}

    def following(self) -> Answer:
        """The next frame; ``end`` behind the last."""
        found = next(self._frames, None)
        if found is None:
            return {"end": True}, b""
        masks = {str(i): [m.rle, m.presence, m.score] for i, m in found.masks.items()}
        return {"frame": found.index}, json.dumps(masks).encode()


class Decoder:
    """One opened source, and where reading it stands."""

    def __init__(self, path: str, index: bytes) -> None:
        self.source = open_frames(path)
        self.access = RandomAccess(self.source, unpack(index) if index else None)
        self._reading: Iterator[Frame] | None = None
        self._next = 0
        self._last: Frame | None = None

    def about(self) -> Mapping[str, Any]:
        """What a page says of a video; ``count`` is the container's word until ``indexed``."""
        height, width = self.source.size
        return {
            "height": height,
            "width": width,
            "fps": self.source.fps,
            "count": len(self.access.times) if self.access.is_indexed else self.source.count,
            "indexed": self.access.is_indexed,
            "notes": list(self.source.notes),
        }

    def frame(self, index: int) -> Frame:
        """Frame ``index``: the last one again, by reading on, or by a seek."""
        if self._last is not None and self._last.index == index:
            return self._last
        reading = self._reading
        if reading is None or not self._next <= index <= self._next + NEAR:
            reading, self._next = self.access.frames(index), index
        self._reading, found = None, None  # what an error has ended is not read on
        for found in reading:
            self._next = found.index + 1
            if found.index >= index:
                break
        if found is None or found.index != index:
            raise InputError(f"frame {index}: {self.source.name} has no such frame")
        self._reading, self._last = reading, found
        return found

    def rewind(self, start: int, *, reverse: bool) -> None:
        """The next frames come from ``start`` on, or from there back."""
        frames = self.access.backward if reverse else self.access.frames
        self._reading, self._next, self._last = frames(start), -NEAR - 1, None

    def following(self) -> Frame | None:
        """The next frame after ``rewind``; None at the end."""
        return None if self._reading is None else next(self._reading, None)


def answer(
    decoder: Decoder | MaskFile | None, head: Mapping[str, Any], body: bytes, asker: Connection
) -> Answer:
    """Do what ``head`` asks for."""
    match head["do"]:
        case "mask":
            return _mask(body)
        case "next masks" if isinstance(decoder, MaskFile):
            return decoder.following()
        case _ if not isinstance(decoder, Decoder):
            raise InputError("no video is open")
        case "about":
            return decoder.about(), b""
        case "jpeg":
            return _jpeg(decoder.frame(int(head["frame"])), head.get("side"))
        case "pixels":
            return _pixels(decoder.frame(int(head["frame"])))
        case "rewind":
            decoder.rewind(int(head["start"]), reverse=bool(head["reverse"]))
            return {}, b""
        case "next":
            found = decoder.following()
            return ({"end": True}, b"") if found is None else _pixels(found)
        case "index":
            return {"ready": True}, pack(decoder.access.index(_progress(asker)))
    raise InputError(f"the decoder does not know '{head['do']}'")


def _progress(asker: Connection) -> Callable[[int], None]:
    def say(done: int) -> None:
        if done % STEPS == 0:
            send(asker, {"progress": done})

    return say


def _pixels(frame: Frame) -> Answer:
    height, width = frame.size
    head = {"frame": frame.index, "time": frame.time, "height": height, "width": width}
    return head, np.ascontiguousarray(frame.image).data.cast("B")


def _jpeg(frame: Frame, side: int | None) -> Answer:
    """``side``: longest side in pixels of a small picture, None for the frame as it is."""
    picture = Image.fromarray(frame.image)
    if side is not None:
        picture.thumbnail((side, side))
    written = io.BytesIO()
    picture.save(written, "JPEG", quality=QUALITY)
    return {"frame": frame.index, "time": frame.time}, written.getvalue()


def _mask(data: bytes) -> Answer:
    file = io.BytesIO(data)
    try:
        mask = np.ascontiguousarray(shown_mask(read_picture(file), "the picture"))
    except InputError as error:
        raise InputError(str(error).replace(str(file), "the picture")) from error
    return {"height": mask.shape[0], "width": mask.shape[1]}, mask.tobytes()


def serve(asker: Connection) -> None:
    """Answer until the other side is gone; ``open`` opens a source."""
    _apart()
    decoder: Decoder | MaskFile | None = None
    path = ""
    while True:
        try:
            head, body = receive(asker)
        except (EOFError, OSError):
            return
        try:
            if head["do"] == "open":
                path = head["path"]
                decoder = Decoder(path, body)
                send(asker, decoder.about())
            elif head["do"] == "open masks":
                decoder = MaskFile(head["format"], head["path"])
                send(asker, decoder.about())
            else:
                send(asker, *answer(decoder, head, body, asker))
        except DamagedSource as error:
            said = {"damaged": error.index, "time": error.time}
            send(asker, {"error": _without(path, error), **said})
        except Sam2sError as error:
            send(asker, {"error": _without(path, error)})
        except MemoryError:
            send(asker, {"error": "the file needs more memory than may be had for it"})
        except RecursionError:
            send(asker, {"error": "the file is nested too deeply"})
        except Exception as error:  # of whatever library read the file
            send(asker, {"error": f"the file cannot be read ({error!r})"[:500]})


def _without(path: str, error: Exception) -> str:
    """The error's line. Where a folder of pictures lies is nothing that a page has to know."""
    return str(error).replace(f"{path}{os.sep}", "") if path else str(error)


def _apart() -> None:
    """Out of the server's terminal: Ctrl+C is for the server, which ends this process in good
    order; what libraries print is for nobody. And within limits."""
    with suppress(AttributeError, OSError):  # Windows has no sessions
        os.setsid()
    nowhere = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1, 2):
        os.dup2(nowhere, stream)
    limit_memory(MEMORY)


def limit_memory(extra: int) -> None:
    """No more than ``extra`` bytes of address space beside those in use; nothing on systems that
    have no such limit."""
    with suppress(ImportError, OSError, ValueError):
        import resource

        with open("/proc/self/statm", encoding="ascii") as file:
            used = int(file.read().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (used + extra, used + extra))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
