"""One video through the protocol: prompt, track, score, and the floors beside it on the same frames."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from sam2s.benchmark.floors import make_floors
from sam2s.benchmark.protocol import PromptKind, Target, TrackerLike, plan, prompt_objects
from sam2s.benchmark.scoreboard import ObjectScore
from sam2s.data.masklets import MaskletVideo
from sam2s.data.masks import write_binary_mask
from sam2s.metrics import Score, mean_score, score_frame
from sam2s.types import Frame, FrameResult

MODEL = "model"
"""Name of the tracked model among the methods; the floors have their own."""


@dataclass(frozen=True, slots=True)
class VideoScores:
    """What one video gave. ``methods``: {method: its objects}; ``prompted``: the model's masks on the prompted frames.

    ``frames`` passed through the tracker, ``object_frames`` summed over its objects, in ``seconds`` of reading pictures
    and tracking (scoring, the simulated user and the floors are not counted). ``skipped``: ids never in view.
    """

    video: str
    methods: Mapping[str, tuple[ObjectScore, ...]]
    prompted: tuple[ObjectScore, ...]
    frames: int
    object_frames: int
    seconds: float
    skipped: tuple[int, ...] = ()

    def to_json(self) -> dict[str, Any]:
        return {
            "video": self.video,
            "methods": {name: [o.to_json() for o in objects] for name, objects in self.methods.items()},
            "prompted": [o.to_json() for o in self.prompted],
            "frames": self.frames,
            "object_frames": self.object_frames,
            "seconds": self.seconds,
            "skipped": list(self.skipped),
        }

    @staticmethod
    def from_json(entry: Mapping[str, Any]) -> VideoScores:
        methods = {name: tuple(map(ObjectScore.from_json, objects)) for name, objects in entry["methods"].items()}
        given = {key: entry[key] for key in ("video", "frames", "object_frames", "seconds")}
        prompted = tuple(map(ObjectScore.from_json, entry["prompted"]))
        return VideoScores(methods=methods, prompted=prompted, skipped=tuple(entry["skipped"]), **given)


@dataclass(slots=True)
class _Tally:
    """Scores and times as they come in."""

    scores: dict[tuple[str, int], list[Score]] = field(default_factory=dict)
    prompted: dict[int, Score] = field(default_factory=dict)
    frames: int = 0
    object_frames: int = 0
    seconds: float = 0.0

    @contextmanager
    def clock(self) -> Iterator[None]:
        began = time.perf_counter()
        yield
        self.seconds += time.perf_counter() - began

    def score(self, method: str, truths: Mapping[int, np.ndarray], masks: Mapping[int, np.ndarray]) -> None:
        for object_id, truth in truths.items():
            self.scores.setdefault((method, object_id), []).append(score_frame(masks[object_id], truth))


def run_video(
    video: MaskletVideo,
    tracker: TrackerLike,
    prompt: PromptKind,
    *,
    source: str,
    floors: bool = False,
    masks: Path | None = None,
    on_frame: Callable[[], object] = lambda: None,
) -> VideoScores:
    """Track and score one video, from the first prompted frame to the last annotated one.

    ``source``: its data set where its own info names none; ``masks``: a folder for the model's masks
    (``<object id>/<frame>.png``), or None; ``on_frame`` is called after every frame.
    """
    targets = plan(video)
    tally = _Tally()
    rivals = make_floors() if floors else {}
    tracker.reset()
    for index in _span(targets):
        with tally.clock():
            image = video.image(index)
        truths = _truths(video, targets, index)
        starting = {t.object_id: truths[t.object_id] for t in targets if t.start == index}
        result = _advance(tracker, Frame(index, _time(video, index), image), starting, prompt, tally)
        scored = {t.object_id: truths[t.object_id] for t in targets if index in t.scored}
        tally.score(MODEL, scored, result.masks)
        for name, floor in rivals.items():
            tally.score(name, scored, floor.advance(image))
            for object_id, truth in starting.items():
                floor.add(object_id, truth)
        if masks is not None:
            _keep(masks, video.frame_names[index], result)
        on_frame()
    return _conclude(video, targets, tally, [MODEL, *rivals], source)


def _span(targets: list[Target]) -> range:
    """The frames to track: from the first start to the last frame that is prompted or scored."""
    if not targets:
        return range(0)
    return range(min(t.start for t in targets), max(max({t.start, *t.scored}) for t in targets) + 1)


def _advance(
    tracker: TrackerLike, frame: Frame, starting: Mapping[int, np.ndarray], prompt: PromptKind, tally: _Tally
) -> FrameResult:
    """One frame through the tracker, prompting the objects that start on it, {id: true mask}."""
    prompts, prior = prompt_objects(tracker, frame, starting, prompt) if starting else ({}, None)
    with tally.clock():
        result = tracker.step(frame, prompts, prior)
    tally.frames += 1
    tally.object_frames += len(result.masks)
    for object_id, truth in starting.items():
        tally.prompted[object_id] = score_frame(result.masks[object_id], truth)
    return result


def _truths(video: MaskletVideo, targets: list[Target], index: int) -> dict[int, np.ndarray]:
    """True masks of the objects that are prompted or scored on this frame."""
    masks = {t.object_id: video.mask(t.object_id, index) for t in targets if index == t.start or index in t.scored}
    return {object_id: mask for object_id, mask in masks.items() if mask is not None}


def _time(video: MaskletVideo, index: int) -> float | None:
    return None if video.info.fps is None else index / video.info.fps


def _keep(folder: Path, frame_name: str, result: FrameResult) -> None:
    for object_id, mask in result.masks.items():
        target = folder / f"{object_id:03d}"
        target.mkdir(parents=True, exist_ok=True)
        write_binary_mask(target / f"{frame_name}.png", mask)


def _conclude(
    video: MaskletVideo, targets: list[Target], tally: _Tally, methods: list[str], source: str
) -> VideoScores:
    def scored(target: Target, score: Score | None) -> ObjectScore:
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
        )

    return VideoScores(
        video=video.name,
        methods={
            method: tuple(scored(t, mean_score(tally.scores.get((method, t.object_id), ()))) for t in targets)
            for method in methods
        },
        prompted=tuple(scored(t, tally.prompted[t.object_id]) for t in targets),
        frames=tally.frames,
        object_frames=tally.object_frames,
        seconds=tally.seconds,
        skipped=tuple(sorted(set(video.info.objects) - {t.object_id for t in targets})),
    )
