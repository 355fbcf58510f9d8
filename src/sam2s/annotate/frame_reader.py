"""Frames of a video by way of a child process, which may crash, hang or ask for all memory."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from multiprocessing.connection import Connection
from multiprocessing.context import ForkServerContext, SpawnContext
from multiprocessing.process import BaseProcess
from pathlib import Path
from threading import RLock
from typing import Any

import numpy as np

from sam2s.annotate.decoder_child import serve
from sam2s.annotate.decoder_protocol import receive, send
from sam2s.errors import DamagedSource, InputError
from sam2s.typed_json import parse_json
from sam2s.types import Frame

PATIENCE = 60.0
"""Seconds for one answer, the start of the process included; an index says that it is alive more
often than that."""


@dataclass(frozen=True, slots=True, eq=False)
class Child:
    """A decoder process and the line to it."""

    process: BaseProcess
    line: Connection


class DecoderLost(InputError):
    """The process that decodes crashed, or took too long and was ended."""


class FrameReader:
    """Asks a decoder process for the frames of ``path``; one question at a time, from any thread.

    ``index``: of the video, from `frame_index.pack`, or None. ``path`` None: a decoder of single
    pictures. The process starts with the first question and is started again after it was lost.
    Raises ``InputError`` with the decoder's line, ``DamagedSource`` behind the last good frame, and
    ``DecoderLost``.
    """

    def __init__(self, path: Path | None, index: bytes | None = None) -> None:
        self._path, self._index = path, index or b""
        self._child: Child | None = None
        self._lock = RLock()

    def about(self) -> Mapping[str, Any]:
        """Size, rate, count of frames and notes of the source (`decoder_child.Decoder.about`)."""
        return self._ask({"do": "about"})[0]

    def jpeg(self, frame: int, side: int | None = None) -> bytes:
        """One frame as a JPEG; ``side``: longest side of a small picture, None for the frame's
        own size."""
        return self._ask({"do": "jpeg", "frame": frame, "side": side})[1]

    def frame(self, index: int) -> Frame:
        """One frame, its picture (H, W, 3) uint8 RGB."""
        return _frame(*self._ask({"do": "pixels", "frame": index}))

    def mask(self, picture: bytes) -> np.ndarray:
        """(H, W) bool: what a picture file shows of one object."""
        head, body = self._ask({"do": "mask"}, picture)
        return np.frombuffer(body, bool).reshape(head["height"], head["width"])

    def open_masks(self, form: str, path: Path) -> Mapping[str, Any]:
        """Open another tool's masks in place of a video; gives size and names."""
        return self._ask({"do": "open masks", "format": form, "path": str(path)})[0]

    def following_masks(self) -> Iterator[tuple[int, dict[int, Any]]]:
        """(frame, {object id: [rle, presence, score]}) of what ``open_masks`` opened."""
        while True:
            head, body = self._ask({"do": "next masks"})
            if head.get("end"):
                return
            masks = parse_json(body, dict[str, Any], "masks")
            yield int(head["frame"]), {int(i): found for i, found in masks.items()}

    def frames(self, start: int) -> Iterator[Frame]:
        """Frames from ``start`` on; nothing else may be asked of this reader meanwhile."""
        return self._from(start, reverse=False)

    def backward(self, start: int) -> Iterator[Frame]:
        """Frames from ``start`` down to 0, as ``frames``."""
        return self._from(start, reverse=True)

    def make_index(self, on_frame: Callable[[int], None]) -> bytes:
        """Read the whole video once; ``on_frame`` hears how many frames have been read. The reader
        knows the index from then on."""
        with self._lock:
            self._index = self._ask({"do": "index"}, on_progress=on_frame)[1]
            return self._index

    def adopt(self, index: bytes) -> None:
        """Know the index that another reader made: frames far into the video are a seek now."""
        with self._lock:
            self._index = index
            self.close()

    def close(self) -> None:
        """End the process, whatever it does."""
        child, self._child = self._child, None
        if child is not None:
            child.process.kill()
            child.process.join()
            child.process.close()
            child.line.close()

    def _from(self, start: int, *, reverse: bool) -> Iterator[Frame]:
        self._ask({"do": "rewind", "start": start, "reverse": reverse})
        while True:
            head, body = self._ask({"do": "next"})
            if head.get("end"):
                return
            yield _frame(head, body)

    def _ask(
        self,
        question: Mapping[str, Any],
        body: bytes = b"",
        on_progress: Callable[[int], None] = lambda _: None,
    ) -> tuple[dict[str, Any], bytes]:
        with self._lock:
            child = self._child or self._start()
            head, answer = self._exchange(child, question, body)
            while "progress" in head:
                on_progress(int(head["progress"]))
                head, answer = self._exchange(child, None, b"")
        return _checked(head), answer

    def _start(self) -> Child:
        here, there = multiprocessing.Pipe()
        process = _context().Process(target=serve, args=(there,), daemon=True)
        process.start()
        there.close()
        self._child = child = Child(process, here)
        if self._path is not None:
            head, _ = self._exchange(child, {"do": "open", "path": str(self._path)}, self._index)
            if "error" in head:
                self.close()
            _checked(head)
        return child

    def _exchange(
        self, child: Child, question: Mapping[str, Any] | None, body: bytes
    ) -> tuple[dict[str, Any], bytes]:
        """Ask (None: only listen), wait for one message; the process is ended when none comes."""
        try:
            if question is not None:
                send(child.line, question, body)
            if not child.line.poll(PATIENCE):
                raise TimeoutError
            return receive(child.line)
        except (OSError, EOFError, ValueError) as error:
            self.close()
            name = "the picture" if self._path is None else self._path.name
            raise DecoderLost(
                f"{name}: the decoder crashed or took longer than {PATIENCE:g} s on it; the file"
                " may be damaged, or made to do harm"
            ) from error


def _context() -> ForkServerContext | SpawnContext:
    """Processes that are forked from one which has imported everything and opened nothing: they
    start at once and share its memory. Windows has no such thing and starts each from nothing."""
    known = multiprocessing.get_all_start_methods()
    if "forkserver" not in known:
        return multiprocessing.get_context("spawn")
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["sam2s.annotate.decoder_child"])
    return context


def _frame(head: Mapping[str, Any], body: bytes) -> Frame:
    image = np.frombuffer(body, np.uint8).reshape(head["height"], head["width"], 3)
    return Frame(head["frame"], head["time"], image)


def _checked(head: dict[str, Any]) -> dict[str, Any]:
    if "damaged" in head:
        raise DamagedSource(head["error"], head["damaged"], head["time"])
    if "error" in head:
        raise InputError(head["error"])
    return head
