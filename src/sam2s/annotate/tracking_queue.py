"""Tracking in the background: one run at a time on the device, others wait in a queue."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field, replace
from threading import Condition, Event, Thread
from typing import Any

import numpy as np

from sam2s.annotate.events import EventBus
from sam2s.annotate.lanes import state_of
from sam2s.annotate.marks import Mark
from sam2s.annotate.model_room import ModelRoom
from sam2s.annotate.run_table import RunRecord, RunState
from sam2s.annotate.video_room import VideoRoom
from sam2s.errors import Sam2sError
from sam2s.memory.diverse import DiverseState
from sam2s.tracking.session.mask_store import FoundMask, found_masks, shown_mask
from sam2s.tracking.session.plan import Pass
from sam2s.tracking.session.propagate import propagate
from sam2s.tracking.tracker import Tracker

RATE_FRAMES = 30
"""Frames over which the speed is taken."""
SAVE_EVERY = 25
"""Frames between two notes of how far a run is; its masks are kept frame by frame."""


class Cancelled(Exception):
    """Someone asked the run to stop."""


@dataclass(eq=False)
class QueuedRun:
    """A run in the queue: ``record`` as it stands, and the switches that a page has."""

    room: VideoRoom
    record: RunRecord
    go_on: Event = field(default_factory=Event)
    cancelled: Event = field(default_factory=Event)
    times: deque[float] = field(default_factory=lambda: deque(maxlen=RATE_FRAMES))

    @property
    def rate(self) -> float | None:
        """Frames per second of late; None before there are two."""
        if len(self.times) < 2:
            return None
        return (len(self.times) - 1) / max(1e-6, self.times[-1] - self.times[0])


class TrackingQueue:
    """Runs jobs in their order on one thread.

    A page hears of every frame (``found``) and of every change of a run (``run``). ``close`` stops
    the run under way after its frame; it can be gone on with.
    """

    def __init__(self, models: ModelRoom, bus: EventBus) -> None:
        self._models, self._bus = models, bus
        self._jobs: deque[QueuedRun] = deque()
        self._changed = Condition()
        self._closing = False
        self._thread = Thread(target=self._work, daemon=True, name="tracking")
        self._thread.start()

    def add(self, room: VideoRoom, record: RunRecord) -> None:
        """Queue a run."""
        job = QueuedRun(room, replace(record, state="queued"))
        job.go_on.set()
        self._keep(job)
        with self._changed:
            self._jobs.append(job)
            self._changed.notify()

    @property
    def is_busy(self) -> bool:
        """Whether there is a run in the queue."""
        with self._changed:
            return bool(self._jobs)

    def find(self, video: str, version: int) -> QueuedRun | None:
        """The run in the queue; None when it is over or was never there."""
        with self._changed:
            for job in self._jobs:
                if job.room.id == video and job.record.version == version:
                    return job
        return None

    def records(self, room: VideoRoom) -> tuple[RunRecord, ...]:
        """Every run of a video; those under way as they stand now, which is written only now and
        then."""
        with self._changed:
            live = {job.record.version: job.record for job in self._jobs if job.room is room}
        return tuple(live.get(record.version, record) for record in room.runs.all())

    def pause(self, job: QueuedRun) -> None:
        """Wait after the frame that is being tracked."""
        job.go_on.clear()
        if job.record.state == "running":
            self._become(job, "paused")

    def resume(self, job: QueuedRun) -> None:
        """Go on."""
        if job.record.state == "paused":
            job.times.clear()
            self._become(job, "running")
        job.go_on.set()

    def cancel(self, job: QueuedRun) -> None:
        """Stop after the frame that is being tracked; what was found stays."""
        job.cancelled.set()
        job.go_on.set()

    def close(self) -> None:
        """Stop; runs that were not done are gone on with at the next start."""
        with self._changed:
            self._closing = True
            for job in self._jobs:
                self.cancel(job)
            self._changed.notify()
        self._thread.join(timeout=30)

    def _work(self) -> None:
        while True:
            with self._changed:
                while not self._jobs and not self._closing:
                    self._changed.wait()
                if self._closing:
                    return
                job = self._jobs[0]
            try:
                self._run(job)
            finally:
                with self._changed:
                    self._jobs.remove(job)

    def _run(self, job: QueuedRun) -> None:
        reader = job.room.new_reader()
        try:
            self._check(job)
            self._become(job, "running")
            for one in job.record.passes:
                self._walk(job, one, reader)
            self._become(job, "done")
        except Cancelled:
            self._become(job, "interrupted" if self._closing else "cancelled")
        except Sam2sError as error:
            self._become(job, "broken", str(error))
        except Exception as error:
            self._become(job, "broken", f"{type(error).__name__}: {error}")
        finally:
            reader.close()

    def _walk(self, job: QueuedRun, one: Pass, reader: Any) -> None:
        """One pass over the frames."""
        tracker = self._models.tracker(reverse=one.reverse)
        frames = reader.backward if one.reverse else reader.frames
        remembered: dict[int, tuple[int, ...]] = {}
        visits = propagate(one, job.room.known, tracker, frames, ahead=True)
        try:
            for frame, result in visits:
                marks = self._write(job, frame.index, found_masks(result))
                job.record = replace(job.record, visited=job.record.visited + 1)
                job.times.append(time.perf_counter())
                self._tell_frame(job, frame.index, marks)
                for object_id, long_term in _long_term(tracker):
                    if remembered.get(object_id) != long_term:
                        remembered[object_id] = long_term
                        job.room.runs.remember(job.record.version, object_id, long_term)
                        self._tell_memory(job, object_id, long_term)
                if job.record.visited % SAVE_EVERY == 0:
                    self._keep(job)
                self._check(job)
        finally:
            visits.close()  # type: ignore[attr-defined]

    def _write(self, job: QueuedRun, frame: int, found: dict[int, FoundMask]) -> dict[int, Mark]:
        """Keep what was found, but for objects that were locked or removed since the run began."""
        history = job.room.session.history
        notes, masks = history.notes.objects, job.room.masks
        wanted = {i: m for i, m in found.items() if i in notes and frame not in notes[i].locked}
        others: dict[int, np.ndarray] = {}
        for object_id in notes.keys() - wanted.keys():
            beside = shown_mask(history, masks, object_id, frame)
            if beside is not None:
                others[object_id] = beside.mask
        return masks.write_beside(job.record.version, frame, wanted, others)

    def _check(self, job: QueuedRun) -> None:
        job.go_on.wait()
        if job.cancelled.is_set():
            raise Cancelled

    def _become(self, job: QueuedRun, state: RunState, message: str | None = None) -> None:
        job.record = replace(job.record, state=state, message=message)
        self._keep(job)

    def _keep(self, job: QueuedRun) -> None:
        with suppress(Sam2sError):  # a full disk: the run itself says so
            job.room.runs.put(job.record)
        self._bus.tell("run", video=job.room.id, **run_content(job.record, job.rate))

    def _tell_frame(self, job: QueuedRun, frame: int, marks: dict[int, Mark]) -> None:
        self._bus.tell(
            "found",
            video=job.room.id,
            frame=frame,
            marks={i: mark_content(mark) for i, mark in marks.items()},
            **{k: v for k, v in run_content(job.record, job.rate).items() if k != "message"},
        )

    def _tell_memory(self, job: QueuedRun, object_id: int, frames: tuple[int, ...]) -> None:
        version = job.record.version
        self._bus.tell(
            "memory", video=job.room.id, version=version, object=object_id, frames=list(frames)
        )


def run_content(record: RunRecord, rate: float | None = None) -> dict[str, Any]:
    """A run as pages are told of it; ``seconds_left`` by its speed of late."""
    left = None if not rate else (record.steps - record.visited) / rate
    return {
        "version": record.version,
        "run": record.kind,
        "state": record.state,
        "visited": record.visited,
        "steps": record.steps,
        "rate": None if rate is None else round(rate, 2),
        "seconds_left": None if left is None else round(max(0.0, left), 1),
        "message": record.message,
    }


def mark_content(mark: Mark) -> dict[str, Any]:
    """What a timeline shows of one object on one frame."""
    return {
        "version": mark.version,
        "state": int(state_of(mark)),
        "presence": round(mark.presence, 4),
        "score": round(mark.score, 4),
        "area": mark.area,
        "x": mark.x,
        "y": mark.y,
        "twin": mark.twin,
    }


def _long_term(tracker: Tracker) -> Iterator[tuple[int, tuple[int, ...]]]:
    """(object id, frames of its long-term memory) under DiveMem: the prompted frames, then the
    queue; nothing under rules that have none."""
    for object_id, bank in tracker.state.banks.items():
        if isinstance(bank.state, DiverseState):
            queue = (*bank.prompted, *bank.state.long_term)
            yield object_id, tuple(abs(memory.time) for memory in queue)
