"""The videos of a source, converted one after the other or in several processes; their outcomes
come in the order of the videos either way."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Generator, Mapping
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, replace
from multiprocessing import get_context
from pathlib import Path

from sam2s.convert.converted_folder import ConvertedFolder
from sam2s.convert.listing import list_videos
from sam2s.convert.one_video import FrameMode, VideoContents, convert_video
from sam2s.convert.sources import get_source
from sam2s.convert.sources.base import ReadOptions, SourceVideo
from sam2s.convert.sources.picture_reader import PictureReader
from sam2s.errors import InputError

OnFrames = Callable[[int], object]
"""Called with the number of frames done since the last call."""


def one_by_one(
    todo: Mapping[str, SourceVideo],
    folder: ConvertedFolder,
    on_frames: OnFrames,
    *,
    mode: FrameMode,
) -> Generator[tuple[str, VideoContents | InputError]]:
    """(name, what the video held or what is wrong with it). What was written is in the folder's
    hidden part."""
    with PictureReader() as reader:
        for name, video in todo.items():
            hidden = folder.claim(name)
            try:
                outcome: VideoContents | InputError = convert_video(
                    video, hidden, mode, reader, lambda: on_frames(1)
                )
            except InputError as error:
                outcome = error
            except BaseException:
                folder.drop(name, empty=False)
                raise
            yield name, outcome


@dataclass(frozen=True, slots=True)
class ListingRequest:
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
    request: ListingRequest,
    workers: int,
) -> Generator[tuple[str, VideoContents | InputError]]:
    """As `one_by_one`, with ``workers`` videos at a time; ``on_frames`` is called once a video.
    It must be closed, which stops the processes."""
    waiting: deque[tuple[str, Future[VideoContents]]] = deque()
    pool = ProcessPoolExecutor(
        workers, get_context("spawn"), initializer=_start, initargs=(request,)
    )
    try:
        for name in todo:
            waiting.append((name, pool.submit(_convert, name, folder.claim(name))))
            # One more than there are workers, so that none is idle while the first in the row
            # is still being converted.
            if len(waiting) > workers + 1:
                yield _next_outcome(waiting, todo, on_frames)
        while waiting:
            yield _next_outcome(waiting, todo, on_frames)
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
        for name, _ in waiting:
            folder.drop(name, empty=False)


def _next_outcome(
    waiting: deque[tuple[str, Future[VideoContents]]],
    todo: Mapping[str, SourceVideo],
    on_frames: OnFrames,
) -> tuple[str, VideoContents | InputError]:
    """Wait for the first video in the row. It stays in the row until then, so that what it left is
    dropped with the others' after a failure."""
    name, future = waiting[0]
    try:
        outcome: VideoContents | InputError = future.result()
    except InputError as error:
        outcome = error
    except BrokenProcessPool:
        raise InputError(
            f"{name}: a worker process died, perhaps because memory ran out; what"
            " is finished is kept; run the same command with fewer --workers to continue"
        ) from None
    waiting.popleft()
    on_frames(len(todo[name].frames))
    return name, outcome


@dataclass(frozen=True, slots=True)
class _WorkerState:
    """What a worker process keeps between videos."""

    request: ListingRequest
    options: ReadOptions
    videos: Mapping[str, SourceVideo]


_worker: _WorkerState | None = None


def _start(request: ListingRequest) -> None:
    """List the source in a new process."""
    global _worker
    options = ReadOptions(request.values, request.strict)
    _worker = _WorkerState(
        request, options, list_videos(get_source(request.source), request.root, options)
    )


def _convert(name: str, hidden: Path) -> VideoContents:
    """Convert one video in a worker. Its notes are those of its frames: what listing noted, the
    main process has noted as well."""
    assert _worker is not None
    _worker.options.notes.clear()
    with PictureReader() as reader:
        contents = convert_video(
            _worker.videos[name], hidden, _worker.request.mode, reader, lambda: None
        )
    return replace(contents, notes=Counter(_worker.options.notes))
