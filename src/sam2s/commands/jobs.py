"""What ``sam2s track`` is to do, as a plan: a new run, or prompts added to an earlier one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from sam2s.errors import InputError
from sam2s.export.tracks import TrackedObject, Tracks, read_tracks
from sam2s.export.writer import TRACKS
from sam2s.tracking.session.action_file import actions_of_rows
from sam2s.tracking.session.actions import Action, Give, Propagate
from sam2s.tracking.session.history import History
from sam2s.tracking.session.mask_store import FoundMask, MasksInMemory
from sam2s.tracking.session.plan import Direction, ObjectSpan, Pass, from_frame, whole_range
from sam2s.tracking.session.propagate import Known
from sam2s.tracking.session.ranges import Stretch

END = 10**9
"""A frame behind every video: track to the end, wherever that is."""


@dataclass(frozen=True, slots=True)
class Job:
    """What to track: ``known``, the prompts and the masks of an earlier run; ``passes`` over the
    source; ``frames`` to write, None for those that the passes visit."""

    known: Known
    passes: Sequence[Pass]
    frames: Stretch | None = None

    @property
    def objects(self) -> int:
        """How many objects there are."""
        return len(self.known.history.notes.objects)

    def steps(self, count: int | None) -> int | None:
        """How many frames the passes visit in a source of ``count`` frames."""
        if count is None:
            return None
        return sum(max(1, min(p.frames.last + 1, count) - p.frames.first) for p in self.passes)


def new_job(actions: Sequence[Action], frames: Stretch, direction: Direction) -> Job:
    """Track what the actions prompt. Raises ``InputError`` where they prompt nothing, or make no
    sense one after the other."""
    history = History.of(actions)
    if not any(mine.given for mine in history.notes.objects.values()):
        raise InputError(
            "nothing to track: give at least one --click ID:X,Y, --box ID:X0,Y0,X1,Y1, --mask"
            " ID:FILE or --prompts FILE"
        )
    known = Known(history, MasksInMemory())
    return Job(known, whole_range(history.notes, frames, direction))


def updated_job(result: Path, actions: Sequence[Action], direction: Direction) -> Job:
    """Add actions to the run in ``result``: objects with new prompts are tracked from the first of
    these on, up to their next locked frame; everything else stays as it is.

    Raises ``InputError`` for a folder without a run that can be gone on from.
    """
    known, limits = _earlier(result)
    if not actions:
        raise InputError(
            f"--update {result}: nothing is new; give a prompt or an absence to add to it"
        )
    history = known.history
    for action in actions:
        history = history.do(action)
    first: dict[int, int] = {}
    for action in actions:
        if isinstance(action, Give):
            frame = min(action.frame, first.get(action.object_id, action.frame))
            first[action.object_id] = frame
    forward: dict[int, ObjectSpan] = {}
    back: dict[int, ObjectSpan] = {}
    for object_id, frame in first.items():
        if frame not in limits:
            raise InputError(
                f"object {object_id} on frame {frame}: the run to update has frames"
                f" {limits.first} to {limits.last}"
            )
        for one in from_frame(history.notes, [object_id], frame, limits, direction):
            (back if one.reverse else forward).update(one.spans)
    passes = [Pass(reverse, parts) for reverse, parts in ((True, back), (False, forward)) if parts]
    return Job(Known(history, known.store), passes, limits)


def _earlier(result: Path) -> tuple[Known, Stretch]:
    """The actions and masks of an earlier run, and its frames."""
    path = result / TRACKS if result.is_dir() else result
    tracks = read_tracks(path)
    rows = tracks.run.get("actions")
    if not isinstance(rows, list) or not tracks.frames:
        raise InputError(
            f"{path}: does not say what it was prompted with; track it anew with this version"
        )
    limits = Stretch(tracks.frames[0].index, tracks.frames[-1].index)
    history = History.of(actions_of_rows(rows, str(path)))
    ids = tuple(sorted({i for frame in tracks.frames for i in frame.objects}))
    known_ids = tuple(i for i in ids if i in history.notes.objects)
    history = history.do(Propagate(known_ids, limits))
    return Known(history, _masks_of(tracks, history.used)), limits


def _masks_of(tracks: Tracks, version: int) -> MasksInMemory:
    """The masks of a run as those of one version."""
    store = MasksInMemory()
    for frame in tracks.frames:
        store.write(version, frame.index, {i: _found(o) for i, o in frame.objects.items()})
    return store


def _found(tracked: TrackedObject) -> FoundMask:
    return FoundMask(
        tracked.rle, tracked.presence, tracked.score, tracked.class_name, tracked.class_prob
    )
