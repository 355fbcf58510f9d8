"""What pages may say, field by field; anything else is refused before it is looked at.

No message holds a path. Frames are counted from 0, pixels are the source's.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

Frame_ = Annotated[int, Field(ge=0, le=10**9)]
ObjectId = Annotated[int, Field(ge=1, le=10**6)]
Version = Annotated[int, Field(ge=1, le=10**9)]
Pixel = Annotated[float, Field(ge=-(10**6), le=10**6, allow_inf_nan=False)]
Revision = Annotated[int, Field(ge=0)] | None
"""The revision that the page has last seen; None for who does not look."""


class Strict(BaseModel):
    """No field that is not known, no conversion of one type into another."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class RleMessage(Strict):
    """A COCO run-length code: ``counts`` as text or as numbers."""

    size: Annotated[list[Annotated[int, Field(ge=1, le=10**6)]], Field(min_length=2, max_length=2)]
    counts: (
        Annotated[str, Field(max_length=2**23)]
        | Annotated[list[Annotated[int, Field(ge=0, le=2**31)]], Field(max_length=2**21)]
    )


class ActionMessage(Strict):
    """One action, as `sam2s.tracking.session.action_file` writes it, without ``track``, files."""

    action: Literal[
        "click",
        "box",
        "mask",
        "clear",
        "name",
        "remove",
        "absent",
        "present",
        "lock",
        "unlock",
        "out_of_body",
        "in_body",
        "accept",
        "discard",
    ]
    object: ObjectId | None = None
    frame: Frame_ | None = None
    to: Frame_ | None = None
    x: Pixel | None = None
    y: Pixel | None = None
    x2: Pixel | None = None
    y2: Pixel | None = None
    label: Literal[0, 1] | None = None
    name: Annotated[str, Field(min_length=1, max_length=100)] | None = None
    version: Version | None = None
    rle: RleMessage | None = None

    def row(self) -> dict[str, Any]:
        """The fields that are there."""
        return self.model_dump(exclude_none=True)


class DoMessage(Strict):
    """Add an action."""

    action: ActionMessage
    seen: Revision = None


class UndoMessage(Strict):
    """Undo or redo."""

    seen: Revision = None


class LookMessage(Strict):
    """Someone looks at a frame."""

    frame: Frame_


class PreviewMessage(Strict):
    """Show what the prompts of an object give on a frame."""

    object: ObjectId
    frame: Frame_


class RunMessage(Strict):
    """Track objects from a frame on; ``length``: frames each way, None to the end."""

    objects: Annotated[list[ObjectId], Field(min_length=1, max_length=1000)]
    frame: Frame_
    direction: Literal["forward", "backward", "both"] = "forward"
    length: Annotated[int, Field(ge=1, le=10**9)] | None = None


class RangeMessage(Strict):
    """Frames ``first`` to ``last``, both included."""

    first: Frame_
    last: Frame_


class ExportMessage(Strict):
    """Write a result; empty lists are everything."""

    format: Annotated[str, Field(max_length=50)]
    objects: Annotated[list[ObjectId], Field(max_length=1000)] = []
    ranges: Annotated[list[RangeMessage], Field(max_length=1000)] = []
    allow_loss: bool = False
    polygons: bool = False


class RefusedMessage(Strict):
    """Why a request was refused, in one line."""

    error: str


class LoginMessage(Strict):
    """The password, where there is one."""

    password: Annotated[str, Field(max_length=1000)]
