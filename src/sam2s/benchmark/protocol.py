"""The protocol: what is prompted, where, and which frames count.

Every object is prompted once, on its first annotated frame that shows it. Clicks come from the
simulated user (``tracking.annotator``): the first at the object's centre, each further one at the
centre of the largest error of the mask shown so far, all on that one frame. The model then tracks
to the end; every annotated frame after the prompted one is scored at the source's resolution,
frames without the object included (there an empty mask scores 1, any other 0). Other rules that
evaluators go by are options (``benchmark.scoring_rules``).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, Protocol, get_args

import numpy as np

from sam2s.benchmark.scoring_rules import BENCHMARK, ScoringRules, frames_to_score, takes_part
from sam2s.errors import InputError
from sam2s.masklets.masklets import MaskletVideo
from sam2s.tracking.annotator import Click, box_around, center_click, to_points
from sam2s.tracking.user_prompts import Prompts
from sam2s.types import Frame, FrameResult, Mask, Prompt

PromptKind = Literal["1-click", "3-click", "5-click", "box", "mask"]


class TrackerLike(Protocol):
    """What the benchmark needs of a tracker; ``tracking.tracker.Tracker`` is one."""

    def step(self, frame: Frame, prompts: Prompts | None, prior: FrameResult | None) -> FrameResult:
        """Track every object on the next frame; ``prior``: the preview that the clicks correct."""

    def preview(
        self, frame: Frame, prompts: Prompts | None, prior: FrameResult | None
    ) -> FrameResult:
        """What ``step`` would give, without advancing."""

    def reset(self) -> None:
        """Forget all objects: a new video begins."""


@dataclass(frozen=True, slots=True)
class Target:
    """One object to track: prompted on frame ``start`` (an index), scored on the frames ``scored``;
    ``watched``: its annotated frames after the prompted one, on which swaps and recovery are
    counted."""

    object_id: int
    start: int
    scored: frozenset[int]
    watched: frozenset[int]

    @property
    def frames(self) -> frozenset[int]:
        """Every frame on which its true mask is needed."""
        return self.scored | self.watched | {self.start}


def plan(video: MaskletVideo, rules: ScoringRules = BENCHMARK) -> list[Target]:
    """The objects of a video to prompt, in the order of their ids; an object never in view has no
    target."""
    labels = {object_id: video.annotated(object_id) for object_id in sorted(video.info.objects)}
    everyone = sorted(set().union(*labels.values())) if labels else []
    targets = []
    for object_id, annotated in labels.items():
        masks = ((i, video.mask(object_id, i)) for i in annotated)
        start = next((i for i, mask in masks if mask is not None and mask.any()), None)
        if start is not None and takes_part(rules, start, everyone):
            scored = frozenset(frames_to_score(rules, annotated, start, everyone))
            targets.append(
                Target(object_id, start, scored, frozenset(i for i in annotated if i > start))
            )
    return targets


def prompt_objects(
    tracker: TrackerLike, frame: Frame, masks: Mapping[int, np.ndarray], kind: PromptKind
) -> tuple[dict[int, Prompt], FrameResult | None]:
    """Prompts for the objects that start on ``frame``, given their true ``masks``, and the last
    preview, if any.

    Hand both to ``tracker.step``. Corrections are asked of all objects together, and leave the
    tracker's state alone.
    """
    if kind == "mask":
        return {i: Mask(mask) for i, mask in masks.items()}, None
    if kind == "box":
        return {i: box_around(mask) for i, mask in masks.items()}, None
    clicks: dict[int, list[Click]] = {i: [center_click(mask)] for i, mask in masks.items()}
    shown: FrameResult | None = None
    for _ in range(int(kind.partition("-")[0]) - 1):
        shown = tracker.preview(frame, _prompts(clicks), shown)
        for i, given in clicks.items():
            given.append(center_click(masks[i], shown.masks[i]))
    return _prompts(clicks), shown


def _prompts(clicks: Mapping[int, list[Click]]) -> dict[int, Prompt]:
    return {i: to_points(given) for i, given in clicks.items()}


def check_kind(kind: str) -> None:
    """InputError unless ``kind`` is a ``PromptKind``."""
    if kind not in get_args(PromptKind):
        raise InputError(f"prompt '{kind}': expected one of {', '.join(get_args(PromptKind))}")
