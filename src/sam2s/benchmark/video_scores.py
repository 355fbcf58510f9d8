"""One video through the protocol: prompt, track, score, and the floors beside it on the same
frames."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from sam2s.benchmark.floors import make_floors
from sam2s.benchmark.protocol import PromptKind, Target, TrackerLike, plan, prompt_objects
from sam2s.benchmark.recorder import FrameTruth, ObjectRecorder, object_score
from sam2s.benchmark.scoreboard import ObjectScore
from sam2s.benchmark.scoring_rules import BENCHMARK, ScoringRules
from sam2s.benchmark.selection import Selection
from sam2s.benchmark.timestamps import frame_times
from sam2s.masklets.masklets import MaskletVideo
from sam2s.masklets.masks import write_binary_mask
from sam2s.metrics import Score, score_frame
from sam2s.types import Frame, FrameResult

MODEL = "model"
"""Name of the tracked model among the methods; the floors have their own."""


@dataclass(frozen=True, slots=True)
class VideoScores:
    """What one video gave. ``methods``: {method: its objects}; ``prompted``: the model's masks on
    the prompted frames.

    ``frames`` passed through the tracker, ``object_frames`` summed over its objects, in ``seconds``
    of reading pictures and tracking (scoring, the simulated user and the floors are not counted).
    ``skipped``: ids that were not prompted, never in view or left out by the rules.
    """

    video: str
    methods: Mapping[str, tuple[ObjectScore, ...]]
    prompted: tuple[ObjectScore, ...]
    frames: int
    object_frames: int
    seconds: float
    skipped: tuple[int, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """All fields; `from_json` reads them."""
        return {
            "video": self.video,
            "methods": {
                name: [o.to_json() for o in objects] for name, objects in self.methods.items()
            },
            "prompted": [o.to_json() for o in self.prompted],
            "frames": self.frames,
            "object_frames": self.object_frames,
            "seconds": self.seconds,
            "skipped": list(self.skipped),
        }

    @staticmethod
    def from_json(entry: Mapping[str, Any]) -> VideoScores:
        """What `to_json` gave."""
        methods = {
            name: tuple(map(ObjectScore.from_json, objects))
            for name, objects in entry["methods"].items()
        }
        given = {key: entry[key] for key in ("video", "frames", "object_frames", "seconds")}
        prompted = tuple(map(ObjectScore.from_json, entry["prompted"]))
        return VideoScores(
            methods=methods, prompted=prompted, skipped=tuple(entry["skipped"]), **given
        )


@dataclass(slots=True)
class _VideoRecorder:
    """What is recorded of a video while it is tracked, and the time it takes."""

    targets: Sequence[Target]
    records: dict[tuple[str, int], ObjectRecorder] = field(default_factory=dict)
    prompted: dict[int, Score] = field(default_factory=dict)
    frames: int = 0
    object_frames: int = 0
    seconds: float = 0.0

    @contextmanager
    def clock(self) -> Iterator[None]:
        began = time.perf_counter()
        yield
        self.seconds += time.perf_counter() - began

    def judge(
        self,
        method: str,
        now: FrameTruth,
        masks: Mapping[int, np.ndarray],
        logits: Mapping[int, np.ndarray],
    ) -> None:
        for target in self.targets:
            if now.index in target.scored or now.index in target.watched:
                record = self.records.setdefault((method, target.object_id), ObjectRecorder())
                record.judge(target, now, masks.get(target.object_id), logits.get(target.object_id))


@dataclass(frozen=True, slots=True)
class VideoTask:
    """What is done with a video. ``prompt``: see ``protocol``; ``source``: its data set where its
    own info names none; ``rules``: which frames and objects count; ``floors``: score the two floors
    as well; ``only``: the objects to prompt."""

    prompt: PromptKind
    source: str
    rules: ScoringRules = BENCHMARK
    floors: bool = False
    only: Selection = field(default_factory=Selection)


def score_video(
    video: MaskletVideo,
    tracker: TrackerLike,
    task: VideoTask,
    *,
    masks: Path | None = None,
    on_frame: Callable[[], object] = lambda: None,
) -> VideoScores:
    """Track and score one video, from the first prompted frame to the last annotated one.

    ``masks``: a folder for the model's masks (``<object id>/<frame>.png``), or None; ``on_frame``
    is called after every frame.
    """
    everything = plan(video, task.rules)  # also what is only there to be taken for another object
    targets = [t for t in everything if task.only.takes(video.name, t.object_id)]
    recorder = _VideoRecorder(targets)
    baselines = make_floors() if task.floors else {}
    times = frame_times(video)
    tracker.reset()
    for index in _before(targets):
        now = FrameTruth(index, times[index], _truths(video, everything, index))
        for name in (MODEL, *baselines):
            recorder.judge(name, now, {}, {})
    for index in _span(targets):
        with recorder.clock():
            image = video.image(index)
        now = FrameTruth(index, times[index], _truths(video, everything, index))
        starting = {t.object_id: now.truths[t.object_id] for t in targets if t.start == index}
        result = _advance(tracker, Frame(index, now.time, image), starting, task.prompt, recorder)
        recorder.judge(MODEL, now, result.masks, result.logits)
        for name, floor in baselines.items():
            carried = floor.advance(image)
            for object_id, truth in starting.items():
                floor.add(object_id, truth)
            recorder.judge(name, now, {**carried, **starting}, {})
        if masks is not None:
            _keep(masks, video.frame_names[index], result)
        on_frame()
    return _conclude(video, recorder, [MODEL, *baselines], task)


def _span(targets: Sequence[Target]) -> range:
    """The frames to track: from the first start to the last frame that is prompted, scored or
    watched."""
    if not targets:
        return range(0)
    return range(min(t.start for t in targets), max(max(t.frames) for t in targets) + 1)


def _before(targets: Sequence[Target]) -> list[int]:
    """Frames that count although nothing is known yet: nothing is tracked on them, and every mask
    is empty."""
    first = _span(targets).start
    return sorted({index for t in targets for index in t.scored if index < first})


def _advance(
    tracker: TrackerLike,
    frame: Frame,
    starting: Mapping[int, np.ndarray],
    prompt: PromptKind,
    recorder: _VideoRecorder,
) -> FrameResult:
    """One frame through the tracker, prompting the objects that start on it, {id: true mask}."""
    prompts, prior = prompt_objects(tracker, frame, starting, prompt) if starting else ({}, None)
    with recorder.clock():
        result = tracker.step(frame, prompts, prior)
    recorder.frames += 1
    recorder.object_frames += len(result.masks)
    for object_id, truth in starting.items():
        recorder.prompted[object_id] = score_frame(result.masks[object_id], truth)
    return result


def _truths(video: MaskletVideo, targets: Sequence[Target], index: int) -> dict[int, np.ndarray]:
    """True masks of the objects that are needed on this frame; empty where the rules take an object
    to be absent."""
    masks = {t.object_id: video.mask(t.object_id, index) for t in targets if index in t.frames}
    return {i: np.zeros(video.size, bool) if mask is None else mask for i, mask in masks.items()}


def _keep(folder: Path, frame_name: str, result: FrameResult) -> None:
    for object_id, mask in result.masks.items():
        target = folder / f"{object_id:03d}"
        target.mkdir(parents=True, exist_ok=True)
        write_binary_mask(target / f"{frame_name}.png", mask)


def _conclude(
    video: MaskletVideo,
    recorder: _VideoRecorder,
    methods: Sequence[str],
    task: VideoTask,
) -> VideoScores:
    source, rules = task.source, task.rules
    targets, records = recorder.targets, recorder.records
    return VideoScores(
        video=video.name,
        methods={
            method: tuple(
                records.get((method, t.object_id), ObjectRecorder()).conclude(
                    video, t, source, rules
                )
                for t in targets
            )
            for method in methods
        },
        prompted=tuple(
            object_score(video, t, source, recorder.prompted[t.object_id]) for t in targets
        ),
        frames=recorder.frames,
        object_frames=recorder.object_frames,
        seconds=recorder.seconds,
        skipped=tuple(
            sorted(
                {i for i in video.info.objects if task.only.takes(video.name, i)}
                - {t.object_id for t in targets}
            )
        ),
    )
