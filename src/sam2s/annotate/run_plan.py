"""What a page asks to be tracked, as a plan; and what is left of a plan that was broken off."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from sam2s.annotate.stored_masks import StoredMasks
from sam2s.errors import InputError
from sam2s.tracking.session.notes import SessionNotes
from sam2s.tracking.session.plan import Direction, ObjectSpan, Pass, from_frame
from sam2s.tracking.session.ranges import Stretch


@dataclass(frozen=True, slots=True)
class RunRequest:
    """Track ``object_ids`` from ``frame`` on, up to ``length`` frames each way (None: to the end
    of the video), or up to the next locked frame of each object, which comes first.

    A correction is a run from the corrected frame on: what lies behind a locked frame stays.
    """

    object_ids: tuple[int, ...]
    frame: int
    direction: Direction
    length: int | None = None

    def passes(self, notes: SessionNotes, count: int) -> tuple[Pass, ...]:
        """The plan in a video of ``count`` frames; ``InputError`` where there is nothing to do."""
        if not self.object_ids:
            raise InputError("nothing to track: choose at least one object")
        if not 0 <= self.frame < count:
            raise InputError(f"frame {self.frame}: the video has frames 0 to {count - 1}")
        reach = count if self.length is None else self.length
        limits = Stretch(max(0, self.frame - reach), min(count - 1, self.frame + reach))
        found = from_frame(notes, self.object_ids, self.frame, limits, self.direction)
        if not found:
            raise InputError(
                f"nothing to track from frame {self.frame}: the frames there are locked, or the"
                " video ends; unlock them, or choose another direction"
            )
        return found


def steps_of(passes: Iterable[Pass]) -> int:
    """Frames that the passes visit."""
    return sum(len(one.frames) for one in passes)


def frames_of(passes: Sequence[Pass]) -> Stretch:
    """From the first to the last frame that is wanted."""
    wanted = [span.wanted for one in passes for span in one.spans.values()]
    return Stretch(min(part.first for part in wanted), max(part.last for part in wanted))


def rest_of(passes: Sequence[Pass], version: int, masks: StoredMasks) -> tuple[Pass, ...]:
    """What ``version`` has not found yet. An object goes on from the last frame on which the run
    saw it, since a tracker has to be shown what it is to follow."""
    left = []
    for one in passes:
        spans = {}
        for object_id, span in one.spans.items():
            part = _rest(one.reverse, span, version, object_id, masks)
            if part is not None:
                spans[object_id] = part
        if spans:
            left.append(replace(one, spans=spans))
    return tuple(left)


def _rest(
    reverse: bool, span: ObjectSpan, version: int, object_id: int, masks: StoredMasks
) -> ObjectSpan | None:
    found = [frame for frame in masks.written(version, object_id) if frame in span.wanted]
    if not found:
        return span
    seen = [frame for frame in masks.reached(version, object_id) if frame in span.wanted]
    first, last = span.wanted.first, span.wanted.last
    if reverse:
        last, enters = min(found) - 1, min(seen, default=span.enters)
    else:
        first, enters = max(found) + 1, max(seen, default=span.enters)
    return ObjectSpan(enters, Stretch(first, last)) if first <= last else None
