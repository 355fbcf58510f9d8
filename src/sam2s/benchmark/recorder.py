"""What is kept of a video while it is tracked: scores, outcomes and bin counts per method and
object, never pixels."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from PIL import Image

from sam2s.benchmark.protocol import Target
from sam2s.benchmark.scoreboard import ObjectScore
from sam2s.benchmark.scoring_rules import ScoringRules, Shown, counted
from sam2s.masklets.masklets import MaskletVideo
from sam2s.metrics import Score, jaccard, mean_score, score_frame
from sam2s.metrics.behaviour import RIGHT, FrameOutcome, behaviour, frame_outcome
from sam2s.metrics.calibration import Calibration, boundary_reliability, empty_reliability
from sam2s.metrics.score_over_time import score_over_time


@dataclass(frozen=True, slots=True)
class FrameTruth:
    """One frame as it is judged. ``truths``: {id: true mask (H, W) bool} of the objects that are
    annotated on it."""

    index: int
    time: float | None
    truths: Mapping[int, np.ndarray]

    def others(self, object_id: int) -> list[np.ndarray]:
        """The true masks of all objects but one."""
        return [mask for i, mask in self.truths.items() if i != object_id]


@dataclass(slots=True)
class ObjectRecorder:
    """One object as one method tracked it, frame by frame. ``frames``: those to score, with their
    age since the prompt; ``outcomes``: the annotated ones after the prompt."""

    frames: list[tuple[Shown, tuple[int, Score]]] = field(default_factory=list)
    outcomes: list[FrameOutcome] = field(default_factory=list)
    calibration: Calibration | None = None

    def judge(
        self, target: Target, now: FrameTruth, guess: np.ndarray | None, logits: np.ndarray | None
    ) -> None:
        """Add one frame. ``guess``: the predicted mask (H, W) bool, None before the object is
        known; ``logits``: the decoder's (h, w), None where there are none."""
        truth = now.truths[target.object_id]
        guess = np.zeros_like(truth) if guess is None else guess
        scored, watched = now.index in target.scored, now.index in target.watched
        score = score_frame(guess, truth) if scored else None
        iou = jaccard(guess, truth) if score is None else score.j
        seen = frame_outcome(
            now.index, now.time, guess, iou, truth, now.others(target.object_id) if watched else ()
        )
        if score is not None:
            self.frames.append((Shown(seen.present, seen.shown), (now.index - target.start, score)))
        if watched:
            self.outcomes.append(seen)
        if scored and watched and seen.present and logits is not None:
            self._calibrate(logits, truth, iou)

    def _calibrate(self, logits: np.ndarray, truth: np.ndarray, iou: float) -> None:
        curve = boundary_reliability(logits, at_decoder(truth, logits.shape))
        found = curve if iou >= RIGHT else empty_reliability()
        new = Calibration(curve, found)
        self.calibration = new if self.calibration is None else self.calibration + new

    def conclude(
        self, video: MaskletVideo, target: Target, source: str, rules: ScoringRules
    ) -> ObjectScore:
        """The object's score, with everything that was counted beside it."""
        frames = counted(rules, self.frames)
        return object_score(
            video,
            target,
            source,
            mean_score(score for _, score in frames),
            behaviour=behaviour(self.outcomes) if self.outcomes else None,
            course=score_over_time(frames) if frames else None,
            calibration=self.calibration,
        )


def object_score(
    video: MaskletVideo, target: Target, source: str, score: Score | None, **details: object
) -> ObjectScore:
    """A score with what the catalogue says of its object; ``source``: its data set where that names
    none."""
    info = video.info.objects[target.object_id]
    return ObjectScore(
        video=video.name,
        object_id=target.object_id,
        source=video.info.source or source,
        kind=info.kind,
        procedure=video.info.procedure,
        class_name=info.class_name,
        first=target.start,
        score=score,
        **details,  # type: ignore[arg-type]
    )


def at_decoder(mask: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """A true mask (H, W) bool at the decoder's resolution ``shape`` (h, w): cells that it covers by
    half or more."""
    # Pillow rounds after each of its two passes: zeros and ones alone would round quarters up to
    # halves, to ones. The bytes of a mask that Pillow read are 0 and 255, so it is converted rather
    # than viewed.
    grey = Image.fromarray(mask.astype(np.uint8) * np.uint8(255))
    return np.asarray(grey.resize((shape[1], shape[0]), Image.Resampling.BOX)) >= 128
