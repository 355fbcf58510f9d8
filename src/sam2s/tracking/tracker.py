"""The tracker users hold: a thin shell that keeps one ``TrackState`` between frames.

``step`` is the whole interface of a live stream; ``run`` is ``step`` over a source. Both give the
same masks, bit for bit, whether frames come from a file, a folder or a camera.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from sam2s.arrays import to_array
from sam2s.devices import Precision, memory_errors, wants_bf16
from sam2s.errors import InputError
from sam2s.geometry import image_to_model
from sam2s.memory.bank import Policy
from sam2s.memory.policy import make_policy
from sam2s.model.sam2s import SAM2S, check_model
from sam2s.tracking.result import frame_result
from sam2s.tracking.state import Observation, TrackState
from sam2s.tracking.step import check_prompts
from sam2s.tracking.tree import commit, observe
from sam2s.types import Features, Frame, FrameResult, Mask, MemoryConfig, Prompt

Prompts = Mapping[int, Prompt | Sequence[Prompt]]
"""{object id: prompt, or several that belong together, such as a box and clicks}, in source
pixels."""


class Tracker:
    """Prompt once, track throughout.

    ``model``: from ``load_model``, on the device it is to run on. ``memory``: a rule's name, a full
    ``MemoryConfig``, a ``Policy`` of your own, or None for the rule saved with the weights.
    ``precision``: ``fp32``, ``bf16`` (autocast), or ``auto``: bf16 where a CUDA device computes it,
    fp32 elsewhere.
    ``reverse``: frames arrive last to first. ``exclusive``: objects do not overlap, the more
    certain one has the pixel (SAM 2's ``non_overlap_masks``); what is remembered stays the same.

    ``state`` may be read and set at any time: setting an earlier one is undo.
    """

    def __init__(
        self,
        model: SAM2S,
        memory: str | MemoryConfig | Policy | None = None,
        *,
        precision: Precision = "auto",
        reverse: bool = False,
        exclusive: bool = False,
    ) -> None:
        check_model(model)
        self.model = model.eval()
        self.policy = _policy(model, memory)
        self.reverse = reverse
        self.exclusive = exclusive
        self.state = TrackState()
        self.device = next(model.parameters()).device
        self._encoded: tuple[Tensor, Features] | None = None
        self.bf16 = wants_bf16(precision, self.device)

    @property
    def objects(self) -> tuple[int, ...]:
        """Ids of the objects being tracked."""
        return tuple(sorted(self.state.banks))

    def reset(self) -> None:
        """Forget everything: the next frame is a first frame."""
        self.state = TrackState()
        self._encoded = None

    def remove(self, object_id: int) -> None:
        """Stop tracking one object; ``InputError`` when it is not tracked."""
        self.state = self.state.without(object_id)

    def step(
        self,
        frame: Frame | np.ndarray,
        prompts: Prompts | None = None,
        prior: FrameResult | None = None,
    ) -> FrameResult:
        """Advance one frame: segment every tracked object on it, obey ``prompts``, remember the
        outcome.

        ``frame``: a ``Frame``, an (H, W, 3) uint8 RGB array or tensor, or a Pillow picture (the
        last three are numbered by arrival). Prompts may name new objects (they are added) or
        tracked ones (they are corrected). ``prior``: the result of ``preview`` on this frame whose
        masks these prompts refine. Before any object is known the result is empty.
        """
        frame, state = self._arrive(frame)
        given = _as_sequences(prompts)
        if not given and not state.banks:
            self.state = replace(state, clock=self._time(frame))
            return FrameResult(frame.index, frame.time)
        with torch.inference_mode(), self._autocast(), self._memory_errors(frame, given):
            features, seen = self._observe(frame, state, given, prior)
            # The clock only moves here, after everything that can fail.
            self.state = commit(self.model, self.policy, state, features, self._time(frame), seen)
            return self._result(frame, seen, given)

    def preview(
        self,
        frame: Frame | np.ndarray,
        prompts: Prompts | None = None,
        prior: FrameResult | None = None,
    ) -> FrameResult:
        """What ``step`` would answer, without advancing: show it while the user is still clicking.

        Pass all clicks so far in ``prompts`` and the previous preview as ``prior``, as SAM 2's own
        evaluation does.
        """
        frame, state = self._arrive(frame)
        given = _as_sequences(prompts)
        with torch.inference_mode(), self._autocast(), self._memory_errors(frame, given):
            _, seen = self._observe(frame, state, given, prior)
            return self._result(frame, seen, given)

    def remember(
        self,
        frame: Frame | np.ndarray,
        masks: Mapping[int, np.ndarray],
        prompted: Collection[int] = (),
    ) -> None:
        """Advance one frame whose masks are known already: ``masks`` {object id: (H, W) bool, not
        empty} are remembered as if they had been tracked, or, for the objects in ``prompted``, as
        if a user had marked them. Other objects' memories stay as they are.
        """
        frame, state = self._arrive(frame)
        given = {i: (Mask(mask),) for i, mask in masks.items()}
        mine = {i: bank for i, bank in state.banks.items() if i in masks}
        with torch.inference_mode(), self._autocast(), self._memory_errors(frame, given):
            features, seen = self._observe(frame, replace(state, banks=mine), given, None)
            seen = _prompted_only(seen, prompted)
            after = commit(self.model, self.policy, state, features, self._time(frame), seen)
        self.state = replace(after, banks={**state.banks, **after.banks})

    def run(
        self,
        source: Iterable[Frame | np.ndarray],
        prompts: Mapping[int, Prompts],
        *,
        stop: int | None = None,
    ) -> Iterator[FrameResult]:
        """Track through ``source``, lazily; yields from the first prompted frame on, up to (not
        including) ``stop``.

        ``prompts``: {frame index: {object id: prompt}}. Raises ``InputError`` when the source ends
        before a prompted frame, after everything tracked so far was yielded.
        """
        waiting = dict(prompts)
        if not waiting:
            raise InputError(
                "nothing to track: give at least one prompt (clicks, a box or a mask) on some frame"
            )
        last = -1
        for position, item in enumerate(source):
            frame = item if isinstance(item, Frame) else Frame(position, None, _pixels(item))
            if stop is not None and frame.index >= stop:
                break
            last = frame.index
            now = waiting.pop(frame.index, None)
            if now is None and not self.state.banks:
                continue
            yield self.step(frame, now)
        if waiting:
            raise InputError(
                f"prompt on frame {min(waiting)}: the source ends at frame {last}; prompt a frame"
                f" from 0 to {last}"
            )

    def _arrive(self, frame: Frame | np.ndarray) -> tuple[Frame, TrackState]:
        """The frame with its number, and the state that knows the source's size; errors leave
        ``self.state`` alone."""
        if not isinstance(frame, Frame):
            frame = Frame(self._next_index(), None, _pixels(frame))
        image = to_array(frame.image, f"frame {frame.index}")
        frame = replace(frame, image=image)
        if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8:
            raise InputError(
                f"frame {frame.index}: expected (H, W, 3) uint8 RGB, got {image.shape}"
                f" {image.dtype}"
            )
        if self.state.size not in (None, frame.size):
            raise InputError(
                f"frame {frame.index}: its size changed from {self.state.size} to {frame.size}"
                " (height, width)"
            )
        if self.state.clock is not None and self._time(frame) <= self.state.clock:
            raise InputError(
                f"frame {frame.index} was already passed; set tracker.state to an earlier one to go"
                " back"
            )
        return frame, replace(self.state, size=frame.size)

    def _next_index(self) -> int:
        if self.state.clock is None:
            return 0
        return -self.state.clock - 1 if self.reverse else self.state.clock + 1

    def _time(self, frame: Frame) -> int:
        return -frame.index if self.reverse else frame.index

    def _observe(
        self,
        frame: Frame,
        state: TrackState,
        prompts: Mapping[int, Sequence[Prompt]],
        prior: FrameResult | None,
    ) -> tuple[Features, Observation]:
        check_prompts(prompts, frame.size)
        features = self._encode(frame.image)
        logits: dict[int, Tensor] = {}
        if prior is not None:
            logits = {
                i: torch.from_numpy(prior.logits[i]).to(self.device)
                for i in prompts
                if i in prior.logits
            }
        return features, observe(
            self.model, self.policy, state, features, self._time(frame), prompts, logits
        )

    def _encode(self, image: np.ndarray) -> Features:
        """The picture's features; those of the picture before are kept, since a user clicks several
        times on one. It is recognised by its content: a camera may write its next picture into the
        same array."""
        pixels = image_to_model(image, self.model.image_size, self.device)
        if self._encoded is None or not torch.equal(pixels, self._encoded[0]):
            self._encoded = pixels, self.model.encode(pixels)
        return self._encoded[1]

    def _result(
        self, frame: Frame, seen: Observation, prompts: Mapping[int, Sequence[Prompt]]
    ) -> FrameResult:
        return frame_result(
            frame, seen, prompts, self.model.semantic_head, exclusive=self.exclusive
        )

    def _memory_errors(
        self, frame: Frame, given: Mapping[int, Sequence[Prompt]]
    ) -> AbstractContextManager[None]:
        count = len({*self.state.banks, *given})
        objects = f"{count} object{'s' * (count != 1)}"
        return memory_errors(
            f"frame {frame.index}, {objects} at {self.model.image_size} px",
            "use a smaller --image-size, fewer objects at a time, --precision bf16 or --device cpu",
        )

    def _autocast(self) -> AbstractContextManager[None]:
        return torch.autocast(self.device.type, torch.bfloat16) if self.bf16 else nullcontext()  # type: ignore[return-value]


def _prompted_only(seen: Observation, prompted: Collection[int]) -> Observation:
    """The observation with only ``prompted`` objects marked by a user."""
    marks = tuple(i in prompted for i in seen.ids)
    return replace(seen, prompted=marks)


def _policy(model: SAM2S, memory: str | MemoryConfig | Policy | None) -> Policy:
    default = model.config.memory
    if memory is None:
        return make_policy(default)
    if isinstance(memory, str):
        return make_policy(replace(default, rule=memory))
    return make_policy(memory) if isinstance(memory, MemoryConfig) else memory


def _pixels(frame: Any) -> np.ndarray:
    """A picture in memory as an array; whether it is one of RGB is looked at on arrival."""
    return to_array(frame.convert("RGB") if isinstance(frame, Image.Image) else frame, "frame")


def _as_sequences(prompts: Prompts | None) -> dict[int, Sequence[Prompt]]:
    if prompts is None:
        return {}
    if not isinstance(prompts, Mapping):
        raise InputError(f"prompts: expected {{object id: prompt}}, got {type(prompts).__name__}")
    for object_id, given in prompts.items():
        if isinstance(object_id, bool) or not isinstance(object_id, int | np.integer):
            raise InputError(f"object ids must be whole numbers, got {object_id!r}")
        parts = given if isinstance(given, Sequence) else (given,)
        strange = [type(part).__name__ for part in parts if not isinstance(part, Prompt)]
        if strange:
            raise InputError(
                f"object {object_id}: a prompt is Points, Box or Mask, or several of them; got"
                f" {strange[0]}"
            )
    return {int(i): tuple(p) if isinstance(p, Sequence) else (p,) for i, p in prompts.items()}
