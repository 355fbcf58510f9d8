"""Runs in the background: what they keep, what they leave alone, and how they are gone on with."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from annotate_pictures import FRAMES, HEIGHT, WIDTH
from sam2s.annotate.model_room import ModelChoice
from sam2s.annotate.project import Project
from sam2s.annotate.run_plan import RunRequest
from sam2s.annotate.video_room import VideoRoom
from sam2s.annotate.workspace import Workspace
from sam2s.errors import InputError
from sam2s.tracking.session.actions import Discard, Give, Lock, MarkAbsent
from sam2s.tracking.session.mask_store import shown_mask, shown_version
from sam2s.tracking.session.ranges import Stretch
from sam2s.types import Box, Mask
from sam2s.weights.save import save_model
from tiny import build_tiny

BOX = Box([4, 14, 28, 38])


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_model(build_tiny(), tmp_path_factory.mktemp("weights") / "tiny")


@pytest.fixture
def work(tmp_path: Path, video: Path, model: Path) -> Iterator[Workspace]:
    opened = Workspace(Project(tmp_path / "p", [video]), ModelChoice(str(model), "cpu"))
    yield opened
    opened.close()


@pytest.fixture
def room(work: Workspace) -> VideoRoom:
    found = work.room(work.project.videos[0].id)
    until(lambda: found.facts.indexed)
    return found


def until(holds: Callable[[], object], seconds: float = 30.0) -> None:
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end, "it never happened"
        time.sleep(0.01)


def state(room: VideoRoom, version: int) -> str:
    record = room.runs.find(version)
    assert record is not None
    return record.state


def over(room: VideoRoom, version: int) -> bool:
    return state(room, version) not in ("queued", "running", "paused")


def test_a_run_finds_every_frame_both_ways(work: Workspace, room: VideoRoom):
    room.log.do(Give(1, 4, BOX))
    record = work.track(room.id, RunRequest((1,), 4, "both"))
    assert record.steps == FRAMES + 1, "the frame it starts on is visited both ways"
    until(lambda: over(room, record.version))
    assert state(room, record.version) == "done"
    assert room.masks.written(record.version, 1) == list(range(FRAMES))
    assert room.session.history.notes.runs[record.version].frames == Stretch(0, FRAMES - 1)


def test_locks_set_while_it_runs_are_kept(work: Workspace, room: VideoRoom):
    room.log.do(Give(1, 0, BOX))
    wait_paused = work.track(room.id, RunRequest((1,), 0, "forward"))
    job = work.queue.find(room.id, wait_paused.version)
    if job is not None:
        work.queue.pause(job)
    mask = np.zeros((HEIGHT, WIDTH), bool)
    mask[2:9, 3:12] = True
    entry = room.log.do(Give(1, FRAMES - 1, Mask(mask)))
    from sam2s.masklets.masks import encode_rle
    from sam2s.tracking.session.mask_store import FoundMask

    room.masks.write(entry.number, FRAMES - 1, {1: FoundMask(encode_rle(mask), 1.0, 1.0)})
    room.log.do(Lock(1, Stretch(FRAMES - 1, FRAMES - 1)))
    if job is not None:
        work.queue.resume(job)
    until(lambda: over(room, wait_paused.version))
    shown = shown_mask(room.session.history, room.masks, 1, FRAMES - 1)
    assert shown is not None
    assert (shown.mask == mask).all()


def test_what_a_cancelled_run_found_stays_and_it_can_be_gone_on_with(
    work: Workspace, room: VideoRoom
):
    room.log.do(Give(1, 0, BOX))
    record = work.track(room.id, RunRequest((1,), 0, "forward"))
    until(lambda: len(room.masks.written(record.version, 1)) >= 2 or over(room, record.version))
    job = work.queue.find(room.id, record.version)
    if job is not None:
        work.queue.cancel(job)
    until(lambda: over(room, record.version))
    found = room.masks.written(record.version, 1)
    assert found == list(range(len(found)))
    kept = [room.masks.read(record.version, 1, frame).rle for frame in found]
    if state(room, record.version) == "cancelled":
        work.go_on(room.id, record.version)
        until(lambda: state(room, record.version) == "done")
    assert room.masks.written(record.version, 1) == list(range(FRAMES))
    assert [room.masks.read(record.version, 1, frame).rle for frame in found] == kept
    with pytest.raises(InputError, match="is done"):
        work.go_on(room.id, record.version)


def test_a_server_that_ends_leaves_a_run_to_go_on_with(tmp_path: Path, video: Path, model: Path):
    choice = ModelChoice(str(model), "cpu")
    first = Workspace(Project(tmp_path / "p", [video]), choice)
    room = first.room(first.project.videos[0].id)
    until(lambda: room.facts.indexed)
    room.log.do(Give(1, 0, BOX))
    record = first.track(room.id, RunRequest((1,), 0, "forward"))
    first.close()
    second = Workspace(Project(tmp_path / "p"), choice)
    again = second.room(second.project.videos[0].id)
    assert again.facts.indexed, "the index is kept"
    if state(again, record.version) != "done":
        assert state(again, record.version) == "interrupted"
        second.go_on(again.id, record.version)
        until(lambda: over(again, record.version))
    assert state(again, record.version) == "done"
    assert again.masks.written(record.version, 1) == list(range(FRAMES))
    second.close()


def test_only_the_stretch_up_to_a_lock_is_tracked_again(work: Workspace, room: VideoRoom):
    room.log.do(Give(1, 0, BOX))
    first = work.track(room.id, RunRequest((1,), 0, "forward"))
    until(lambda: over(room, first.version))
    room.log.do(Lock(1, Stretch(6, 6)))
    room.log.do(MarkAbsent(1, Stretch(4, 4)))
    room.log.do(Give(1, 2, BOX))
    again = work.track(room.id, RunRequest((1,), 2, "forward"))
    until(lambda: over(room, again.version))
    versions = [shown_version(room.session.history, room.masks, 1, f) for f in range(FRAMES)]
    a, b = first.version, again.version
    assert versions == [a, a, b, b, None, b, a, a, a, a]
    room.log.do(Discard(b))
    history = room.session.history
    assert shown_version(history, room.masks, 1, 3) == a


def test_what_cannot_be_tracked_is_said_and_is_no_action(work: Workspace, room: VideoRoom):
    room.log.do(Give(1, 0, BOX))
    before = room.session.revision
    for request, why in (
        (RunRequest((), 0, "forward"), "choose at least one"),
        (RunRequest((9,), 0, "forward"), "none of that number"),
        (RunRequest((1,), FRAMES, "forward"), "has frames 0 to 9"),
    ):
        with pytest.raises(InputError, match=why):
            work.track(room.id, request)
    assert room.session.revision == before


def test_a_run_that_breaks_says_why(work: Workspace, room: VideoRoom):
    room.log.do(Give(1, 0, BOX))
    record = work.track(room.id, RunRequest((1,), 5, "forward"))  # nothing is known of it there
    until(lambda: over(room, record.version))
    found = room.runs.find(record.version)
    assert found is not None
    assert found.state == "broken"
    assert "cannot be tracked from frame 5" in (found.message or "")
