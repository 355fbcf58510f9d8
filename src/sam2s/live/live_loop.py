"""The loop: the newest frame, what users want of it, its masks, and out with them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from sam2s.errors import InputError
from sam2s.live.feed import LiveFeed
from sam2s.live.inbox import ActionInbox, LiveAction
from sam2s.live.latency import LatencyCounter, LatencySummary
from sam2s.live.out_of_body import BodyWatch
from sam2s.live.sink import LivePicture, Sink, SinkCounts, SinkThread
from sam2s.tracking.session.actions import Give, Name, Remove
from sam2s.tracking.tracker import Tracker
from sam2s.types import Frame, FrameResult, Prompt

MAX_OBJECTS = 64
"""Objects that are tracked at a time: each costs time on every frame."""


@dataclass(frozen=True, slots=True)
class LiveSummary:
    """A live run. ``frames``: how many were tracked in ``seconds``; ``dropped`` ones gave way to
    newer ones; ``blanked``: out of the body; ``to_mask``: from the arrival of a frame to its masks,
    ``to_screen`` {sink: to the picture's being shown or sent}; ``sinks``: their counts."""

    frames: int
    seconds: float
    dropped: int
    blanked: int
    reconnected: int
    objects: int
    to_mask: LatencySummary
    to_screen: Mapping[str, LatencySummary]
    sinks: Mapping[str, SinkCounts]


class LiveLoop:
    """Tracks a feed. ``limit``: frames after which it ends by itself; ``watch``: blanks pictures
    out of the body, which are then neither tracked, shown nor recorded; ``say``: told what a user's
    action does wrong, and which sink fails."""

    def __init__(
        self,
        tracker: Tracker,
        feed: LiveFeed,
        inbox: ActionInbox,
        *,
        watch: BodyWatch | None = None,
        limit: int | None = None,
        say: Callable[[str], object] = lambda _line: None,
    ) -> None:
        self._tracker, self._feed, self._inbox = tracker, feed, inbox
        self._watch, self._limit, self._say = watch, limit, say
        self._names: dict[int, str] = {}
        self._frames = self._blanked = 0
        self._last = 0.0
        self._to_mask = LatencyCounter()

    def run(self, sinks: Sequence[Sink]) -> LiveSummary:
        """Until the source ends, a user stops it, or the limit is reached; sinks are closed, after
        an error or an interrupt as well. `summary` says what was done in any case."""
        self._threads = [SinkThread(sink, self._say) for sink in sinks]
        self._counts: dict[str, SinkCounts] = {}
        try:
            for frame in self._feed.frames():
                self._one(frame)
                done = self._limit is not None and self._frames >= self._limit
                if done or self._inbox.stopped:
                    break
        finally:
            self._feed.close()
            self._counts = {one.sink.name: one.close() for one in self._threads}
        return self.summary()

    def summary(self) -> LiveSummary:
        """What was done so far."""
        shown = {one.sink.name: one.sink.latency for one in self._threads}
        return LiveSummary(
            self._frames,
            self._last,
            self._feed.dropped,
            self._blanked,
            self._feed.reconnected,
            len(self._tracker.objects),
            self._to_mask.summary(),
            {name: one.summary() for name, one in shown.items() if one is not None},
            self._counts,
        )

    def _one(self, frame: Frame) -> None:
        assert frame.arrived is not None, "a feed stamps its frames"
        blanked = self._watch is not None and self._watch.blanks(frame.image, frame.arrived)
        if blanked:
            frame = replace(frame, image=np.zeros_like(frame.image))
            result = FrameResult(frame.index, frame.time)
            self._blanked += 1
        else:
            result = self._track(frame)
            if result.latency is not None:
                self._to_mask.add(result.latency)
        self._frames += 1
        self._last = frame.time or 0.0
        picture = LivePicture(frame, result, dict(self._names), blanked)
        for thread in self._threads:
            thread.offer(picture)

    def _track(self, frame: Frame) -> FrameResult:
        """Memory rules count frames: numbered as the source's, dropped ones would leave holes in
        what is remembered."""
        numbered = replace(frame, index=self._frames)
        prompts = self._wishes(self._inbox.take())
        try:
            result = self._tracker.step(numbered, prompts)
        except InputError as error:
            if not prompts:
                raise
            self._say(" ".join(str(error).split()))  # a click outside the picture, for instance
            result = self._tracker.step(numbered)
        return replace(result, index=frame.index)

    def _wishes(self, actions: Sequence[LiveAction]) -> dict[int, list[Prompt]]:
        """Prompts for this frame; names and removals are done."""
        prompts: dict[int, list[Prompt]] = {}
        for action in actions:
            if isinstance(action, Give):
                known = {*self._tracker.objects, *prompts}
                if action.object_id not in known and len(known) >= MAX_OBJECTS:
                    self._say(f"object {action.object_id}: {MAX_OBJECTS} objects are tracked")
                    continue
                prompts.setdefault(action.object_id, []).append(action.prompt)
            elif isinstance(action, Name):
                self._names[action.object_id] = action.name
            elif isinstance(action, Remove):
                prompts.pop(action.object_id, None)
                self._names.pop(action.object_id, None)
                if action.object_id in self._tracker.objects:
                    self._tracker.remove(action.object_id)
        return prompts
