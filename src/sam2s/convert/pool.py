"""The videos of a source, walked through one after the other or in several processes; always told
of in their order."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Generator, Mapping
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, replace
from multiprocessing import get_context
from pathlib import Path

from sam2s.convert.listing import list_videos
from sam2s.convert.sources import get_source
from sam2s.convert.sources.base import ReadOptions, SourceVideo
from sam2s.convert.sources.media import PictureReader
from sam2s.convert.walk import FrameMode, Walked, walk_video
from sam2s.convert.writer import ConvertedFolder
from sam2s.errors import InputError

OnFrames = Callable[[int], object]
"""Told how many frames were done since it was last called."""


def one_by_one(
    todo: Mapping[str, SourceVideo],
    folder: ConvertedFolder,
    on_frames: OnFrames,
    *,
    mode: FrameMode,
) -> Generator[tuple[str, Walked | InputError]]:
    """(name, what the video held or what is wrong with it). What was written is in the folder's
    hidden part."""
    with PictureReader() as reader:
        for name, video in todo.items():
            hidden = folder.claim(name)
            try:
                outcome: Walked | InputError = walk_video(
                    video, hidden, mode, reader, lambda: on_frames(1)
                )
            except InputError as error:
                outcome = error
            except BaseException:
                folder.drop(name, empty=False)
                raise
            yield name, outcome


@dataclass(frozen=True, slots=True)
class Order:
    """What a process needs to list the source for itself: a video cannot be sent, it holds
    functions that read it."""

    source: str
    root: Path
    values: Mapping[str, str]
    strict: bool
    mode: FrameMode


def in_processes(
    todo: Mapping[str, SourceVideo],
    folder: ConvertedFolder,
    on_frames: OnFrames,
    *,
    order: Order,
    workers: int,
) -> Generator[tuple[str, Walked | InputError]]:
    """As `one_by_one`, with ``workers`` videos at a time; ``on_frames`` hears of whole videos. To
    be closed."""
    waiting: deque[tuple[str, Future[Walked]]] = deque()
    pool = ProcessPoolExecutor(workers, get_context("spawn"), initializer=_start, initargs=(order,))
    try:
        for name in todo:
            waiting.append((name, pool.submit(_walk, name, folder.claim(name))))
            # One more than there are workers, so that none waits for the one whose turn it is to be
            # told of.
            if len(waiting) > workers + 1:
                yield _told(waiting, todo, on_frames)
        while waiting:
            yield _told(waiting, todo, on_frames)
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
        for name, _ in waiting:
            folder.drop(name, empty=False)


def _told(
    waiting: deque[tuple[str, Future[Walked]]], todo: Mapping[str, SourceVideo], on_frames: OnFrames
) -> tuple[str, Walked | InputError]:
    """The video whose turn it is, once it is done. It stays with the others until then, to be
    dropped with them."""
    name, future = waiting[0]
    try:
        outcome: Walked | InputError = future.result()
    except InputError as error:
        outcome = error
    except BrokenProcessPool:
        raise InputError(
            f"{name}: a process ended in the middle of the work, perhaps for want of memory; what"
            " is finished is kept, give the same command with fewer --workers to go on"
        ) from None
    waiting.popleft()
    on_frames(len(todo[name].frames))
    return name, outcome


@dataclass(frozen=True, slots=True)
class _Shelf:
    """What a worker process keeps between videos."""

    order: Order
    options: ReadOptions
    videos: Mapping[str, SourceVideo]


_shelf: _Shelf | None = None


def _start(order: Order) -> None:
    """List the source in a new process."""
    global _shelf
    options = ReadOptions(order.values, order.strict)
    _shelf = _Shelf(order, options, list_videos(get_source(order.source), order.root, options))


def _walk(name: str, hidden: Path) -> Walked:
    """Walk through one video in a worker; the notes are those of its frames, since listing noted
    its own elsewhere."""
    assert _shelf is not None
    _shelf.options.notes.clear()
    with PictureReader() as reader:
        walked = walk_video(_shelf.videos[name], hidden, _shelf.order.mode, reader, lambda: None)
    return replace(walked, notes=Counter(_shelf.options.notes))
