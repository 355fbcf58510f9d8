"""The nouns of the project: prompts, frames, features, decoded masks, memories and results.

Everything here is frozen data, with no behaviour beyond validation and trivial views. Names tell
the kind of number: ``*_logits`` is an unbounded float, ``*_prob`` and ``score`` lie in [0, 1],
``mask(s)`` is bool. ``N`` counts rows, one row per object on one frame; ``S`` is the side of the
square model input in pixels; ``h = w = S / 16``.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from enum import Enum
from typing import TypeVar

import numpy as np
import torch
from torch import Tensor

from sam2s.arrays import to_array, to_mask
from sam2s.errors import InputError

# ---------------------------------------- prompts, in source pixels, (x, y)


@dataclass(frozen=True, slots=True, eq=False)
class Points:
    """Clicks on one object. ``xy``: (P, 2) float32 source pixels; ``labels``: (P,) int64, 1 =
    include, 0 = exclude."""

    xy: np.ndarray
    labels: np.ndarray

    def __post_init__(self) -> None:
        xy, labels = to_array(self.xy, "points"), to_array(self.labels, "labels of points")
        if xy.ndim != 2 or xy.shape[1] != 2 or labels.ndim != 1:
            raise InputError(
                f"points: expected positions (P, 2), one row (x, y) per point, and labels (P,), got"
                f" {xy.shape} and {labels.shape}"
            )
        if len(xy) != len(labels) or len(xy) == 0:
            raise InputError(
                f"points: got {len(xy)} positions and {len(labels)} labels; give each point one"
                " label (1 or 0)"
            )
        if not np.isin(labels, (0, 1)).all():
            raise InputError(
                "points: labels must be 1 (include) or 0 (exclude), got"
                f" {sorted(set(labels.tolist()))}"
            )
        object.__setattr__(self, "xy", _coordinates(xy, "points"))
        object.__setattr__(self, "labels", labels.astype(np.int64))


@dataclass(frozen=True, slots=True, eq=False)
class Box:
    """A box around one object. ``xyxy``: (4,) float32 source pixels, left, top, right, bottom."""

    xyxy: np.ndarray

    def __post_init__(self) -> None:
        given = to_array(self.xyxy, "box")
        if given.shape != (4,):
            raise InputError(
                f"box: expected (4,) left, top, right, bottom of one box, got shape {given.shape}"
            )
        xyxy = _coordinates(given, "box")
        if xyxy[2] <= xyxy[0] or xyxy[3] <= xyxy[1]:
            raise InputError(
                "box: expected left, top, right, bottom with right > left and bottom > top, got"
                f" {xyxy}"
            )
        object.__setattr__(self, "xyxy", xyxy)


@dataclass(frozen=True, slots=True, eq=False)
class Mask:
    """A given mask of one object: the answer on its frame. ``mask``: (H, W) bool at source size,
    not empty; an array of numbers is taken where it holds 0 and one other value."""

    mask: np.ndarray

    def __post_init__(self) -> None:
        mask = to_mask(self.mask, "mask")
        if not mask.any():
            raise InputError(
                "mask: it is empty; draw the object, or leave the prompt out on this frame"
            )
        object.__setattr__(self, "mask", mask)


def _coordinates(given: np.ndarray, what: str) -> np.ndarray:
    """float32; InputError for what is no finite float32."""
    with np.errstate(over="ignore"):
        numbers = given.astype(np.float32)
    if not np.isfinite(numbers).all():
        raise InputError(f"{what}: coordinates must be finite numbers, got {given.tolist()}")
    return numbers


Prompt = Points | Box | Mask
"""One object's prompt on one frame. A box and clicks may be combined as a sequence ``[Box,
Points]``."""


# --------------------------------------------------------------------------- pictures


@dataclass(frozen=True, slots=True, eq=False)
class Frame:
    """A decoded picture. ``image``: (H, W, 3) uint8 RGB; ``time``: seconds from the source's own
    timestamps, or None; ``arrived``: when a live source brought it, in seconds of
    ``time.perf_counter``, None where nothing is live."""

    index: int
    time: float | None
    image: np.ndarray
    arrived: float | None = None

    @property
    def size(self) -> tuple[int, int]:
        """(height, width) in source pixels."""
        return self.image.shape[0], self.image.shape[1]


# ---------------------------------------- tensors between the model's verbs

NounT = TypeVar("NounT")


def take_rows(noun: NounT, index: Tensor | slice | Sequence[int]) -> NounT:
    """The same tensor noun holding only the rows ``index`` of each of its tensors (None fields stay
    None)."""
    values = {spec.name: getattr(noun, spec.name) for spec in fields(noun)}  # type: ignore[arg-type]
    tensors = {name: value for name, value in values.items() if isinstance(value, Tensor)}
    if not isinstance(index, slice | Tensor):
        index = torch.as_tensor(list(index), dtype=torch.long)
    if isinstance(index, Tensor) and tensors:
        index = index.to(next(iter(tensors.values())).device)  # once, not for every tensor
    return replace(noun, **{name: value[index] for name, value in tensors.items()})  # type: ignore[type-var]


def without_repeats(tensor: Tensor) -> Tensor:
    """One row of a tensor that was expanded to many (`Features.expand`), else the tensor itself."""
    return tensor[:1] if tensor.ndim and tensor.stride(0) == 0 else tensor


def with_rows(tensor: Tensor, rows: int) -> Tensor:
    """One row seen ``rows`` times, without copying; what has that many stays, and is not asked
    whether it is one (an export does not know)."""
    return tensor if tensor.shape[0] == rows else tensor.expand(rows, *tensor.shape[1:])


@dataclass(frozen=True, slots=True, eq=False)
class Features:
    """Image features of N frames (or of one frame repeated for N objects).

    ``stride16`` (N, C, h, w); ``stride8`` (N, C/4, 2h, 2w) and ``stride4`` (N, C/8, 4h, 4w),
    already projected for the mask decoder. ``semantic`` (N, C): TSL's token after memory attention;
    None before it, and in models without TSL.
    """

    stride16: Tensor
    stride8: Tensor
    stride4: Tensor
    semantic: Tensor | None = None

    def expand(self, n: int) -> Features:
        """One frame's features seen by ``n`` objects, without copying."""
        s16, s8, s4 = (
            t.expand(n, *t.shape[1:]) for t in (self.stride16, self.stride8, self.stride4)
        )
        return Features(s16, s8, s4, None if self.semantic is None else self.semantic.expand(n, -1))


@dataclass(frozen=True, slots=True, eq=False)
class PromptBatch:
    """Prompts of N rows in model pixels, all rows with the same number P of points (P = 0: nothing
    was clicked).

    ``coords`` (N, P, 2) float, (x, y); ``labels`` (N, P) int64: 1 include, 0 exclude, 2 / 3 the
    first / second corner of a box. ``mask_logits`` (N, 4h, 4w): the mask to be corrected, as a
    dense prompt, or None.
    """

    coords: Tensor
    labels: Tensor
    mask_logits: Tensor | None = None

    @staticmethod
    def none(n: int, device: torch.device | str = "cpu") -> PromptBatch:
        """No prompt for ``n`` rows: a tracked frame."""
        return PromptBatch(
            torch.zeros(n, 0, 2, device=device), torch.zeros(n, 0, dtype=torch.long, device=device)
        )


@dataclass(frozen=True, slots=True, eq=False)
class Decoded:
    """What the mask decoder predicts for N rows; all M candidates (1 or 3) are kept for training.

    ``mask_logits`` (N, 4h, 4w), the chosen candidate; ``iou`` (N,) its predicted IoU;
    ``object_logits`` (N,): > 0 means present; ``pointer`` (N, C); ``candidate_logits`` (N, M, 4h,
    4w); ``candidate_ious`` (N, M); ``chosen`` (N,) int64, which of them; ``candidate_tokens`` (N,
    M, C): what the pointer of another candidate would be made from; ``semantic`` (N, C): TSL's
    token x'_c, or None; ``input_logits`` (N, S, S): a given mask at input size, or None where the
    memory encoder is to upsample ``mask_logits``.
    """

    mask_logits: Tensor
    iou: Tensor
    object_logits: Tensor
    pointer: Tensor
    candidate_logits: Tensor
    candidate_ious: Tensor
    chosen: Tensor
    candidate_tokens: Tensor | None = None
    semantic: Tensor | None = None
    input_logits: Tensor | None = None


# --------------------------------------------------------------------------- memory

RECENT_SLOTS = 6
"""Temporal slots 0..5: a tracked frame of age a = 1..6 takes slot a - 1."""
CONDITIONING_SLOT = 6
"""Temporal slot of prompted frames (the seventh and last row of SAM 2's table)."""
LONG_TERM_SLOT = 7
"""Temporal slot of DiveMem's long-term memories; models without that embedding use the conditioning
slot's."""


class Origin(Enum):
    """Where a memory's mask came from."""

    PROMPTED = "prompted"
    TRACKED = "tracked"


@dataclass(frozen=True, slots=True, eq=False)
class Sighting:
    """What one frame showed of one object, for memory rules that judge masks; made only where the
    rule needs it.

    ``masks`` (M, 4h, 4w) bool NumPy: the decoder's candidates, all empty when the object is not in
    view; ``ious`` (M,): their predicted IoUs; ``object_logit``: > 0 means in view; ``chosen``:
    index of the candidate that is the answer.
    """

    masks: np.ndarray
    ious: tuple[float, ...]
    object_logit: float
    chosen: int

    @property
    def mask(self) -> np.ndarray:
        """(4h, 4w) bool: the candidate that is the answer."""
        mask: np.ndarray = self.masks[self.chosen]
        return mask


@dataclass(frozen=True, slots=True, eq=False)
class Memory:
    """One remembered frame of one object.

    ``time``: position on the tracking clock (the negated frame index when tracking in reverse);
    ``map`` (C_m, h, w); ``pointer`` (C,); ``object_logit`` and ``iou``: the decoder's presence
    logit and predicted IoU. Only for rules that need them (`sam2s.memory.policy.Needs`):
    ``descriptor`` (C, h, w), the frame's stride-16 image feature, and ``sighting``, what the
    decoder proposed. Rules drop both from what they keep once they no longer need them.
    """

    time: int
    origin: Origin
    map: Tensor
    pointer: Tensor
    object_logit: float
    iou: float
    descriptor: Tensor | None = None
    sighting: Sighting | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Recollection:
    """What one object recalls on one frame: maps with their temporal slot, pointers with their
    signed age in frames."""

    maps: tuple[tuple[Memory, int], ...] = ()
    pointers: tuple[tuple[Memory, int], ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class MemoryBatch:
    """Recollections of N rows, padded to a fixed number of slots K and pointers P.

    ``maps`` (N, K, C_m, h, w); ``slots`` (N, K) int64; ``map_mask`` (N, K) bool, True = in use;
    ``pointers`` (N, P, C); ``ages`` (N, P) float32, signed, in frames; ``pointer_mask`` (N, P)
    bool. A row with nothing in use is a first frame. ``full``: all slots and pointers are known to
    be in use, so that no mask is needed; to ask the tensors would be to wait for the device.
    """

    maps: Tensor
    slots: Tensor
    map_mask: Tensor
    pointers: Tensor
    ages: Tensor
    pointer_mask: Tensor
    full: bool = False


# --------------------------------------------------------------------------- results


class MaskLogits(Mapping[int, np.ndarray]):
    """{object id: (4h, 4w) float32 NumPy} of mask logits, above zero inside.

    They stay where the decoder made them, and are copied to the host when one of them is asked for;
    ``tensor`` gives one as it is. Results that are kept keep them on the model's device.
    """

    __slots__ = ("_tensors",)

    def __init__(self, tensors: Mapping[int, Tensor]) -> None:
        self._tensors = dict(tensors)

    @staticmethod
    def of(arrays: Mapping[int, np.ndarray]) -> MaskLogits:
        """Logits that are on the host already."""
        return MaskLogits({i: torch.from_numpy(array) for i, array in arrays.items()})

    def __getitem__(self, object_id: int) -> np.ndarray:
        return self._tensors[object_id].float().cpu().numpy()

    def __contains__(self, object_id: object) -> bool:
        return object_id in self._tensors

    def __iter__(self) -> Iterator[int]:
        return iter(self._tensors)

    def __len__(self) -> int:
        return len(self._tensors)

    def __reduce__(self) -> tuple[object, ...]:
        # Stored on the host: another process may have no such device.
        return MaskLogits.of, (dict(self),)

    def tensor(self, object_id: int) -> Tensor:
        """(4h, 4w) float, on the device it was made on; KeyError for another object."""
        return self._tensors[object_id]

    def only(self, object_ids: Collection[int]) -> MaskLogits:
        """Those of some objects."""
        return MaskLogits({i: t for i, t in self._tensors.items() if i in object_ids})


@dataclass(frozen=True, slots=True, eq=False)
class FrameResult:
    """The masks of one frame.

    ``index``: frame number in the source; ``time``: seconds by the source's timestamps, or None;
    ``masks`` {object id: bool (H, W) at source size}, all False when absent; ``presence`` {id:
    probability in [0, 1] that the object is in view}; ``scores`` {id: presence x predicted IoU, in
    [0, 1]}; ``logits`` {id: float32 (4h, 4w)} at the decoder's resolution, copied from the model's
    device when they are asked for. ``classes`` {id: the most probable class name} and
    ``class_probs`` {id: its probability among the model's class names}: empty for models without
    TSL. ``latency``: seconds from the arrival of a live frame, else from the call, to the answer;
    None for results that were not computed now.
    """

    index: int
    time: float | None
    masks: Mapping[int, np.ndarray] = field(default_factory=dict)
    presence: Mapping[int, float] = field(default_factory=dict)
    scores: Mapping[int, float] = field(default_factory=dict)
    logits: MaskLogits = field(default_factory=lambda: MaskLogits({}))
    classes: Mapping[int, str] = field(default_factory=dict)
    class_probs: Mapping[int, float] = field(default_factory=dict)
    latency: float | None = None
