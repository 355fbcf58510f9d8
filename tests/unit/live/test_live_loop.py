"""The loop: actions reach the tracker, slow sinks and slow trackers drop frames, failures of one
sink are its own."""

from __future__ import annotations

import time

from fakes import ROOM, TISSUE, EveryFrame, FakeTracker, feed, frames

from sam2s.errors import InputError
from sam2s.live import out_of_body
from sam2s.live.inbox import ActionInbox
from sam2s.live.latency import LatencyCounter
from sam2s.live.live_loop import LiveLoop
from sam2s.live.out_of_body import BodyWatch
from sam2s.live.sink import LivePicture

CLICK = {"action": "click", "object": 1, "x": 4, "y": 5}


class Album:
    """Keeps pictures; ``seconds`` each, and an error at the ``breaks``-th."""

    def __init__(self, name: str, seconds: float = 0.0, breaks: int | None = None) -> None:
        self.name, self.seconds, self.breaks = name, seconds, breaks
        self.latency: LatencyCounter | None = LatencyCounter()
        self.pictures: list[LivePicture] = []
        self.closed = 0

    def show(self, picture: LivePicture) -> None:
        if len(self.pictures) == self.breaks:
            raise InputError("the cable\nis cut")
        time.sleep(self.seconds)
        self.pictures.append(picture)
        assert self.latency is not None
        self.latency.add(time.perf_counter() - picture.arrived)

    def close(self) -> None:
        self.closed += 1


def loop(tracker: FakeTracker, each, inbox: ActionInbox | None = None, **more) -> LiveLoop:
    inbox = inbox or ActionInbox()
    return LiveLoop(tracker, EveryFrame(each), inbox, **more)  # type: ignore[arg-type]


def test_a_click_is_tracked_from_the_next_frame_on_and_named():
    inbox, album = ActionInbox(), Album("album")
    inbox.put(CLICK, "a")
    inbox.put({"action": "name", "object": 1, "name": "hook"}, "a")
    summary = loop(FakeTracker(), frames(5, 0.02), inbox).run([album])
    assert summary.frames == 5
    assert summary.objects == 1
    assert summary.to_mask.count == 5
    assert all(one.result.masks[1].all() for one in album.pictures)
    assert album.pictures[0].names == {1: "hook"}
    assert album.pictures[-1].overlay.shape == (24, 32, 3)
    assert album.closed == 1


def test_what_is_removed_before_its_frame_was_never_there():
    inbox, tracker = ActionInbox(), FakeTracker()
    inbox.put(CLICK, "a")
    inbox.put({**CLICK, "object": 2}, "a")
    inbox.put({"action": "remove", "object": 2}, "a")
    loop(tracker, frames(2), inbox).run([])
    assert tracker.objects == (1,)


def test_a_click_that_is_refused_is_said_and_the_frame_tracked():
    inbox, said = ActionInbox(), []
    inbox.put({**CLICK, "x": -4}, "a")
    summary = loop(FakeTracker(), frames(2, 0.02), inbox, say=said.append).run([])
    assert said == ["a click lies outside the picture"]
    assert (summary.frames, summary.objects) == (2, 0)


def test_a_slow_tracker_drops_frames_and_its_memory_has_no_holes():
    tracker = FakeTracker(0.08)
    slow = LiveLoop(tracker, feed(frames(30, 0.01)), ActionInbox())  # type: ignore[arg-type]
    summary = slow.run([])
    assert summary.frames + summary.dropped == 30
    assert summary.dropped > 10
    assert tracker.indices == list(range(summary.frames))
    assert summary.to_mask.p50 < 30 * 80 / 2, "never behind by more than a frame"


def test_a_slow_sink_skips_pictures_and_holds_up_neither_the_loop_nor_others():
    slow, quick = Album("slow", 0.1), Album("quick")
    summary = loop(FakeTracker(), frames(25, 0.01)).run([slow, quick])
    assert summary.sinks["slow"].dropped > 5
    shown = summary.sinks["slow"].shown + summary.sinks["slow"].dropped
    assert shown == summary.frames
    assert slow.pictures[-1].frame.index == 24, "the last one is shown"


def test_a_sink_that_fails_is_closed_and_told_of():
    broken, other = Album("broken", breaks=1), Album("other")
    summary = loop(FakeTracker(), frames(6, 0.05)).run([broken, other])
    assert summary.sinks["broken"].error == "broken: the cable is cut"
    assert broken.closed == other.closed == 1
    assert summary.sinks["other"].shown + summary.sinks["other"].dropped == summary.frames == 6


def test_a_sink_that_fails_in_its_own_way_is_told_of_at_once():
    class Odd(Album):
        def show(self, picture: LivePicture) -> None:
            raise ZeroDivisionError("by zero")

    said: list[str] = []
    odd, other = Odd("odd"), Album("other")
    summary = loop(FakeTracker(), frames(6, 0.05), say=said.append).run([odd, other])
    assert summary.sinks["odd"].error == "odd: ZeroDivisionError: by zero"
    assert said == ["odd: ZeroDivisionError: by zero; the run goes on without it"]
    assert summary.sinks["odd"].dropped == 0
    assert odd.closed == 1
    assert len(other.pictures) >= 1


def test_it_ends_when_asked_to():
    inbox = ActionInbox()
    assert loop(FakeTracker(), frames(100, 0.01), limit=3).run([]).frames == 3
    inbox.put({"action": "stop"}, "a")
    assert loop(FakeTracker(), frames(100, 0.01), inbox).run([]).frames == 1


def test_out_of_the_body_nothing_is_seen_tracked_or_kept(monkeypatch):
    monkeypatch.setattr(out_of_body, "RETURN", 0.0)
    tracker, album, inbox = FakeTracker(), Album("album"), ActionInbox()
    inbox.put(CLICK, "a")
    each = frames(12, 0.02, lambda i: ROOM if 4 <= i < 8 else TISSUE)
    summary = loop(tracker, each, inbox, watch=BodyWatch()).run([album])
    for one in album.pictures:
        room = 4 <= one.frame.index < 8
        assert one.blanked == (room or one.frame.index in (0, 8))
        if one.blanked:
            assert not one.frame.image.any()
            assert one.result.masks == {}
    assert summary.blanked == 6
    assert len(tracker.indices) == 6
    assert any(one.result.masks for one in album.pictures)
