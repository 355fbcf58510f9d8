"""Meta's ``SAM2VideoPredictor``: prompts on frames of a video file or folder, then propagation
either way."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from sam2s.arrays import doubt_whole, to_array
from sam2s.compat.ignored import doubt_options
from sam2s.compat.small_regions import kept_apart, without_holes
from sam2s.devices import Precision
from sam2s.errors import InputError
from sam2s.geometry import logits_to_source
from sam2s.media.frames import FrameSource, open_frames
from sam2s.media.random_access import RandomAccess
from sam2s.memory.policy import Policy
from sam2s.model.sam2s import ABSENT_LOGIT, SAM2S, check_model
from sam2s.tracking.state import TrackState
from sam2s.tracking.tracker import Tracker
from sam2s.types import Box, Frame, FrameResult, Mask, MaskLogits, Points, Prompt
from sam2s.weights.load import load_model

INTERVAL = 32
"""Frames from one kept state to the next, at first."""
META_HOLES = 8
"""Pixels of holes that Meta's builders have filled (``apply_postprocessing``)."""
KEPT_STATES = 4
"""Tracking states kept along a propagation, evenly spread, from which a correction starts again."""

READABLE = ("num_frames", "obj_ids", "video_height", "video_width")
"""What can be read of a state by Meta's names."""

Answer = tuple[int, list[int], Tensor]
"""Frame index, object ids, and their (N, 1, H, W) float mask logits at the source's size, > 0
inside."""


@dataclass
class InferenceState:
    """One video being worked on: what Meta keeps in a dict. ``prompts``: {frame: {object id: what
    was given}}; ``priors``: {frame: {object id: (4h, 4w) logits that its latest prompt refines}};
    ``kept``: {frame: state before it}; ``reached``: the last frame of the latest forward
    propagation, -1 before one.

    What scripts read of Meta's dict can be read by its name here: ``obj_ids``, ``num_frames``,
    ``video_height`` and ``video_width``. ``num_frames`` decodes a video once, since what a
    container states may be wrong.
    """

    source: FrameSource
    size: tuple[int, int]
    obj_ids: list[int] = field(default_factory=list)
    prompts: dict[int, dict[int, tuple[Prompt, ...]]] = field(default_factory=dict)
    priors: dict[int, dict[int, Tensor]] = field(default_factory=dict)
    kept: dict[int, TrackState] = field(default_factory=dict)
    interval: int = INTERVAL
    reached: int = -1
    access: RandomAccess = field(init=False)

    def __post_init__(self) -> None:
        self.access = RandomAccess(self.source)

    def __getitem__(self, name: str) -> Any:
        if name == "num_frames":
            return (
                self.source.count
                if self.source.count_exact
                else sum(1 for _ in self.source.frames())
            )
        known = {"obj_ids": self.obj_ids, "video_height": self.size[0], "video_width": self.size[1]}
        if name not in known:
            raise InputError(
                f"state[{name!r}]: of Meta's dict only {', '.join(READABLE)} can be read; frames"
                " are decoded when they are needed and not kept"
            )
        return known[name]

    def __contains__(self, name: object) -> bool:
        return name in READABLE

    def forget_after(self, frame: int) -> None:
        """Drop what was tracked after ``frame``."""
        self.kept = {start: state for start, state in self.kept.items() if start <= frame}

    def keep(self, frame: int, state: TrackState) -> None:
        """Remember the state before ``frame`` if it falls on the interval; when there are too many
        states, every other one is dropped."""
        if frame % self.interval == 0:
            self.kept[frame] = state
        if len(self.kept) > KEPT_STATES:
            self.interval *= 2
            self.kept = {
                start: kept for start, kept in self.kept.items() if start % self.interval == 0
            }


class SAM2VideoPredictor:
    """``model``: from ``load_model``; ``memory``, ``precision``: as for ``Tracker``;
    ``non_overlap_masks``, ``fill_hole_area``: as Meta has them (a pixel belongs to one object at
    most; holes of so many pixels at the decoder's resolution are filled), and like there they
    change the masks returned, not what is remembered.

    Unlike Meta's, it decodes frames when they are needed, keeps a bounded memory, and batches
    objects. Prompts on a later frame take effect when propagation gets there; a correction starts
    again from the state before its frame.
    """

    def __init__(
        self,
        model: SAM2S,
        memory: str | Policy | None = None,
        precision: Precision = "auto",
        *,
        non_overlap_masks: bool = False,
        fill_hole_area: float = 0,
        **options: Any,
    ) -> None:
        check_model(model)
        doubt_options("SAM2VideoPredictor", options)
        self.non_overlap_masks = non_overlap_masks
        self.fill_hole_area = fill_hole_area
        self.model = model.eval()
        self.memory = memory
        self.precision: Precision = precision
        self._tracker()  # a mistaken rule or precision is refused now

    @classmethod
    def from_pretrained(
        cls, model_id: str, device: str | torch.device = "auto", **options: Any
    ) -> SAM2VideoPredictor:
        """The predictor of a hub id, or of anything else that ``load_model`` takes; holes are
        filled as Meta's ``from_pretrained`` does by default."""
        with_postprocessing = {"fill_hole_area": META_HOLES, **options}
        return cls(load_model(model_id, device=device), **with_postprocessing)

    @property
    def device(self) -> torch.device:
        """Where the model lies."""
        return next(self.model.parameters()).device

    @property
    def image_size(self) -> int:
        """Side of the model's input in pixels."""
        return self.model.image_size

    def to(self, device: str | torch.device) -> SAM2VideoPredictor:
        """Move the model; states made before must be made again."""
        self.model.to(device)
        return self

    def eval(self) -> SAM2VideoPredictor:
        """The same: the model is never in training mode here."""
        return self

    def init_state(self, video_path: str | Path, **options: Any) -> InferenceState:
        """Open a video file or a folder of pictures; Meta's options for where frames are kept have
        no use here."""
        doubt_options("init_state", options)
        source = open_frames(video_path)
        return InferenceState(source, source.size)

    def add_new_points_or_box(  # noqa: PLR0913 - Meta's signature
        self,
        inference_state: InferenceState,
        frame_idx: int,
        obj_id: int,
        points: Any = None,
        labels: Any = None,
        clear_old_points: bool = True,
        normalize_coords: bool = True,
        box: Any = None,
    ) -> Answer:
        """Prompt an object on a frame; gives the frame's masks. Coordinates are source pixels, or
        in [0, 1] where not ``normalize_coords``; without ``clear_old_points`` the clicks add to
        earlier ones on this frame."""
        if (points is None) != (labels is None):
            raise InputError("points and labels go together; give both or neither")
        if box is not None and not clear_old_points:
            raise InputError("a box comes before any click; give it with clear_old_points=True")
        height, width = inference_state.size
        scale = np.ones(2) if normalize_coords else np.array([width, height])
        earlier = (
            () if clear_old_points else inference_state.prompts.get(frame_idx, {}).get(obj_id, ())
        )
        boxes: list[Prompt] = [prompt for prompt in earlier if isinstance(prompt, Box)]
        clicks = [prompt for prompt in earlier if isinstance(prompt, Points)]
        if box is not None:
            boxes = [_box(box, scale)]
        if points is not None:
            clicks.append(_points(points, labels, scale))
        if not boxes and not clicks:
            raise InputError("nothing was given: pass points with labels, or a box")
        return self._prompt(inference_state, frame_idx, obj_id, (*boxes, *clicks))

    def add_new_points(self, *args: Any, **options: Any) -> Answer:
        """The old name of ``add_new_points_or_box``."""
        return self.add_new_points_or_box(*args, **options)

    def add_new_mask(
        self, inference_state: InferenceState, frame_idx: int, obj_id: int, mask: Any
    ) -> Answer:
        """Give an object's (H, W) mask on a frame (bool, or 0 and one other value); gives the
        frame's masks."""
        given = Mask(mask)
        doubt_whole(given.mask, f"object {obj_id}, frame {frame_idx}")
        return self._prompt(inference_state, frame_idx, obj_id, (given,))

    def propagate_in_video_preflight(self, inference_state: InferenceState) -> None:
        """What Meta does before it propagates: here only the check that there is a prompt."""
        if not inference_state.prompts:
            raise InputError("nothing to track: prompt an object on some frame first")

    def propagate_in_video(
        self,
        inference_state: InferenceState,
        start_frame_idx: int | None = None,
        max_frame_num_to_track: int | None = None,
        reverse: bool = False,
    ) -> Iterator[Answer]:
        """Track from ``start_frame_idx`` (default: the first prompted frame),
        ``max_frame_num_to_track`` frames far.

        Frames between the first prompt and a later start are tracked as well, without being given
        out.
        """
        self.propagate_in_video_preflight(inference_state)
        start = min(inference_state.prompts) if start_frame_idx is None else start_frame_idx
        if reverse:
            return self._backward(inference_state, start, max_frame_num_to_track)
        return self._forward(inference_state, start, max_frame_num_to_track)

    def clear_all_prompts_in_frame(
        self, inference_state: InferenceState, frame_idx: int, obj_id: int, need_output: bool = True
    ) -> Answer | None:
        """Take back an object's prompts on a frame; gives the frame's masks."""
        inference_state.prompts.get(frame_idx, {}).pop(obj_id, None)
        inference_state.priors.get(frame_idx, {}).pop(obj_id, None)
        if not inference_state.prompts.get(frame_idx, True):
            del inference_state.prompts[frame_idx]
        inference_state.forget_after(frame_idx)
        return (
            self._answer(inference_state, self._look(inference_state, frame_idx))
            if need_output
            else None
        )

    def remove_object(
        self,
        inference_state: InferenceState,
        obj_id: int,
        strict: bool = False,
        need_output: bool = True,
    ) -> tuple[list[int], list[Answer]]:
        """Forget an object; gives the ids left and the masks of the frames it had been prompted on.
        An unknown id is an InputError where ``strict``."""
        if obj_id not in inference_state.obj_ids:
            if strict:
                raise InputError(f"object {obj_id}: unknown; there are {inference_state.obj_ids}")
            return inference_state.obj_ids, []
        inference_state.obj_ids.remove(obj_id)
        touched = [frame for frame, given in inference_state.prompts.items() if obj_id in given]
        for frame in touched:
            self.clear_all_prompts_in_frame(inference_state, frame, obj_id, need_output=False)
        inference_state.kept = {
            k: state.without(obj_id) if obj_id in state.banks else state
            for k, state in inference_state.kept.items()
        }
        shown = touched if need_output and inference_state.obj_ids else []
        return inference_state.obj_ids, [
            self._answer(inference_state, self._look(inference_state, frame)) for frame in shown
        ]

    def reset_state(self, inference_state: InferenceState) -> None:
        """Forget all prompts and objects."""
        fresh = InferenceState(inference_state.source, inference_state.size)
        inference_state.__dict__.update(fresh.__dict__)

    def _tracker(self, *, reverse: bool = False) -> Tracker:
        return Tracker(self.model, self.memory, precision=self.precision, reverse=reverse)

    def _prompt(
        self, state: InferenceState, frame: int, obj_id: int, given: tuple[Prompt, ...]
    ) -> Answer:
        if obj_id in state.prompts.get(
            frame, {}
        ):  # a refinement of the mask that this frame shows now
            shown = self._look(state, frame)
            state.priors.setdefault(frame, {})[obj_id] = shown.logits.tensor(obj_id)
        added = {**state.prompts.get(frame, {}), obj_id: given}
        after = self._look(
            state, frame, added
        )  # an impossible prompt is refused here, before it is noted
        state.prompts[frame] = added
        state.forget_after(frame)
        if obj_id not in state.obj_ids:
            state.obj_ids.append(obj_id)
        return self._answer(state, after)

    def _look(
        self,
        state: InferenceState,
        frame: int,
        prompts: Mapping[int, tuple[Prompt, ...]] | None = None,
    ) -> FrameResult:
        """What the frame shows under ``prompts`` (default: those noted for it), without tracking
        on."""
        picture = _picture(state, frame)
        given = state.prompts.get(frame, {}) if prompts is None else prompts
        tracker = self._tracker()
        if frame <= state.reached:
            tracker.state = self._state_before(state, frame)
        if not given and not tracker.state.banks:
            return FrameResult(frame, picture.time)
        return tracker.preview(picture, given, _prior(state, frame))

    def _state_before(self, state: InferenceState, frame: int) -> TrackState:
        """The state of tracking forward up to ``frame``, from the latest kept one before it."""
        first = min(state.prompts, default=frame)
        start = max((k for k in state.kept if k <= frame), default=first)
        tracker = self._tracker()
        tracker.state = state.kept.get(start, TrackState())
        if start < frame:
            for picture in state.source.frames(start):
                if picture.index >= frame:
                    break
                self._step(state, tracker, picture)
        return tracker.state

    def _forward(self, state: InferenceState, start: int, most: int | None) -> Iterator[Answer]:
        tracker = self._tracker()
        tracker.state = self._state_before(state, start)
        for picture in state.source.frames(start):
            if most is not None and picture.index > start + most:
                break
            state.keep(picture.index, tracker.state)
            result = self._step(state, tracker, picture)
            state.reached = max(state.reached, picture.index)
            yield self._answer(state, result)

    def _backward(self, state: InferenceState, start: int, most: int | None) -> Iterator[Answer]:
        tracker = self._tracker(reverse=True)
        last = max((frame for frame in state.prompts if frame >= start), default=start)
        end = 0 if most is None else max(start - most, 0)
        for picture in state.access.backward(last, end):
            result = self._step(state, tracker, picture)
            if picture.index <= start:
                yield self._answer(state, result)

    def _step(self, state: InferenceState, tracker: Tracker, picture: Frame) -> FrameResult:
        return tracker.step(picture, state.prompts.get(picture.index), _prior(state, picture.index))

    def _answer(self, state: InferenceState, result: FrameResult) -> Answer:
        """Masks of all objects in the order they were added; one that this frame does not know yet
        is absent."""
        if not state.obj_ids:
            return result.index, [], torch.zeros(0, 1, *state.size, device=self.device)
        known = [result.logits.tensor(i) for i in state.obj_ids if i in result.logits]
        example = known[0] if known else torch.zeros(1, 1, device=self.device)
        blank = torch.full_like(example, ABSENT_LOGIT)
        rows = [result.logits.tensor(i) if i in result.logits else blank for i in state.obj_ids]
        logits = without_holes(torch.stack(rows), self.fill_hole_area)
        logits = logits_to_source(logits, state.size)
        logits = kept_apart(logits) if self.non_overlap_masks else logits
        return result.index, list(state.obj_ids), logits[:, None]


def _box(box: Any, scale: np.ndarray) -> Box:
    """One box in any of the shapes that Meta's predictors take: (4,), (1, 4), (2, 2), (1, 2, 2)."""
    corners = to_array(box, "box")
    if corners.shape not in ((4,), (1, 4), (2, 2), (1, 2, 2)):
        raise InputError(f"box: expected one box (4,) or (1, 4), got shape {corners.shape}")
    return Box((corners.reshape(2, 2) * scale).reshape(4))


def _points(points: Any, labels: Any, scale: np.ndarray) -> Points:
    """Clicks (P, 2) or (1, P, 2) with labels (P,) or (1, P), as Meta's predictors take them."""
    xy, kinds = to_array(points, "points"), to_array(labels, "labels of points")
    xy = xy[0] if xy.ndim == 3 and len(xy) == 1 else xy
    kinds = kinds[0] if kinds.ndim == 2 and len(kinds) == 1 else kinds
    return Points(xy * scale if xy.ndim == 2 and xy.shape[1] == 2 else xy, kinds)


def _prior(state: InferenceState, frame: int) -> FrameResult | None:
    logits = state.priors.get(frame)
    return FrameResult(frame, None, logits=MaskLogits(logits)) if logits else None


def _picture(state: InferenceState, frame: int) -> Frame:
    picture = next(state.source.frames(frame), None) if frame >= 0 else None
    if picture is None:
        raise InputError(f"frame {frame}: {state.source.name} has no such frame; count from 0")
    return picture
