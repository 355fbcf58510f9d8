"""Which frames a tracker has to visit, in which order, and whose masks it finds there.

A plan is a pure function of the notes. Each object enters a pass on its own frame, with its first
prompt or with what is known of it from earlier masks, and leaves it at the end of its stretch.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

from sam2s.errors import InputError
from sam2s.tracking.session.notes import ObjectNotes, SessionNotes
from sam2s.tracking.session.ranges import Stretch

Direction = Literal["forward", "backward", "both"]


@dataclass(frozen=True, slots=True)
class ObjectSpan:
    """One object's part in a pass: it enters on frame ``enters``, and its masks are wanted on the
    frames of ``wanted``."""

    enters: int
    wanted: Stretch


@dataclass(frozen=True, slots=True)
class Pass:
    """One walk over the frames, last to first where ``reverse``. ``spans`` by object id."""

    reverse: bool
    spans: Mapping[int, ObjectSpan]

    @property
    def frames(self) -> Stretch:
        """Every frame that is visited."""
        first = min(min(part.enters, part.wanted.first) for part in self.spans.values())
        last = max(max(part.enters, part.wanted.last) for part in self.spans.values())
        return Stretch(first, last)


def whole_range(notes: SessionNotes, frames: Stretch, direction: Direction) -> tuple[Pass, ...]:
    """Passes that find every prompted object on ``frames``, each frame once.

    ``forward``: from each object's first prompt on. ``backward``: from its last prompt back.
    ``both``: from its first prompt on, and from there back to the first frame. Raises
    ``InputError`` where no prompt lies in ``frames``.
    """
    prompted = {
        i: sorted(frame for frame in mine.given if frame in frames)
        for i, mine in notes.objects.items()
    }
    prompted = {i: on for i, on in prompted.items() if on}
    if not prompted:
        raise InputError(
            f"nothing to track from frame {frames.first} to {frames.last}: no object has a prompt"
            " there"
        )
    forward = {i: ObjectSpan(on[0], Stretch(on[0], frames.last)) for i, on in prompted.items()}
    if direction == "forward":
        return (Pass(False, forward),)
    if direction == "backward":
        back = {i: ObjectSpan(on[-1], Stretch(frames.first, on[-1])) for i, on in prompted.items()}
        return (Pass(True, back),)
    back = {
        i: ObjectSpan(on[0], Stretch(frames.first, on[0] - 1))
        for i, on in prompted.items()
        if on[0] > frames.first
    }
    return (*((Pass(True, back),) if back else ()), Pass(False, forward))


def from_frame(
    notes: SessionNotes,
    object_ids: Iterable[int],
    frame: int,
    limits: Stretch,
    direction: Direction = "forward",
) -> tuple[Pass, ...]:
    """Passes that track objects anew from ``frame`` on: up to the frame before the next locked one
    of each, or to the end of ``limits``. The frame itself belongs to the forward pass, or to the
    backward one where that is the only one. Objects that are locked on the frame start beside it.
    """
    forward, back = {}, {}
    for object_id in object_ids:
        mine = notes.object(object_id)
        here = 1 if frame in mine.locked else 0
        first = _first_free(mine, frame - here, limits.first)
        last = _last_free(mine, frame + here, limits.last)
        if direction != "backward" and last >= frame + here:
            forward[object_id] = ObjectSpan(frame, Stretch(frame + here, last))
        start = frame - (1 if direction == "both" else here)
        if direction != "forward" and first <= start:
            back[object_id] = ObjectSpan(frame, Stretch(first, start))
    passes = (Pass(True, back), Pass(False, forward))
    return tuple(one for one in passes if one.spans)


def _last_free(mine: ObjectNotes, frame: int, limit: int) -> int:
    """The last frame before the next locked one from ``frame`` on, at most ``limit``."""
    locked = mine.locked.next_from(frame)
    return limit if locked is None else min(limit, locked - 1)


def _first_free(mine: ObjectNotes, frame: int, limit: int) -> int:
    locked = mine.locked.last_until(frame)
    return limit if locked is None else max(limit, locked + 1)
