"""What an annotator does, one frozen value an action; a log of them is all that a session keeps.

Coordinates are source pixels, (x, y), counted from 0; frames are counted from 0. A stretch of
frames includes both its ends.
"""

from __future__ import annotations

from dataclasses import dataclass

from sam2s.tracking.session.ranges import Stretch
from sam2s.types import Prompt


@dataclass(frozen=True, slots=True, eq=False)
class Give:
    """A prompt for an object on a frame. Clicks add to the clicks there, a box replaces the box, a
    mask replaces everything that was given there. An object exists from its first prompt on."""

    object_id: int
    frame: int
    prompt: Prompt


@dataclass(frozen=True, slots=True)
class Clear:
    """Take back what was given for an object on a frame."""

    object_id: int
    frame: int


@dataclass(frozen=True, slots=True)
class Name:
    """Call an object ``name``: a class of the vocabulary or words of the annotator's own."""

    object_id: int
    name: str


@dataclass(frozen=True, slots=True)
class Remove:
    """Forget an object: its prompts, marks and masks."""

    object_id: int


@dataclass(frozen=True, slots=True)
class MarkAbsent:
    """The object is not in view on these frames: its mask is empty there and it is not tracked."""

    object_id: int
    frames: Stretch


@dataclass(frozen=True, slots=True)
class MarkPresent:
    """Takes ``MarkAbsent`` back on these frames."""

    object_id: int
    frames: Stretch


@dataclass(frozen=True, slots=True)
class Lock:
    """The object's masks on these frames are verified: no tracking changes them."""

    object_id: int
    frames: Stretch


@dataclass(frozen=True, slots=True)
class Unlock:
    """Takes ``Lock`` back on these frames."""

    object_id: int
    frames: Stretch


@dataclass(frozen=True, slots=True)
class MarkOutOfBody:
    """The camera is outside the patient on these frames: exports black them out."""

    frames: Stretch


@dataclass(frozen=True, slots=True)
class MarkInBody:
    """Takes ``MarkOutOfBody`` back on these frames."""

    frames: Stretch


@dataclass(frozen=True, slots=True)
class Propagate:
    """A tracking run. Its masks are stored under the action's own number, so that it can be undone,
    compared with what it replaced, accepted or discarded."""

    object_ids: tuple[int, ...]
    frames: Stretch


@dataclass(frozen=True, slots=True)
class Accept:
    """The masks of run ``version`` were looked at and are good."""

    version: int


@dataclass(frozen=True, slots=True)
class Discard:
    """The masks of run ``version`` are not wanted: what they replaced is shown again."""

    version: int


Action = (
    Give
    | Clear
    | Name
    | Remove
    | MarkAbsent
    | MarkPresent
    | Lock
    | Unlock
    | MarkOutOfBody
    | MarkInBody
    | Propagate
    | Accept
    | Discard
)
