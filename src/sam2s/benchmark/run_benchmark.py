"""Score a tracker on a folder of annotated videos (rules in ``protocol``), and write what came of
it."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Protocol

from sam2s.benchmark.diagnostics import course_json, diagnostics_json
from sam2s.benchmark.environment import environment
from sam2s.benchmark.floors import make_floors
from sam2s.benchmark.journal import Journal
from sam2s.benchmark.protocol import PromptKind, TrackerLike, check_kind
from sam2s.benchmark.scoreboard import OF_SUBSETS, Means, Scoreboard, percent
from sam2s.benchmark.scoring_rules import BENCHMARK, ScoringRules
from sam2s.benchmark.selection import ObjectName, Selection
from sam2s.benchmark.suite import SuiteName, choose, choose_sa_sv, sa_sv_json, title_of
from sam2s.benchmark.video_scores import MODEL, VideoScores, VideoTask, score_video
from sam2s.devices import Precision, kind_of
from sam2s.errors import InputError
from sam2s.files import lock_folder
from sam2s.masklets.masklets import MaskletFolder, MaskletVideo, open_masklets
from sam2s.memory.all_rules import describe_rule
from sam2s.memory.policy import Policy
from sam2s.metrics import Score
from sam2s.model.sam2s import SAM2S
from sam2s.progress import progress_bar
from sam2s.tracking.tracker import Tracker
from sam2s.weights.load import load_model, weights_hash

FORMAT = "sam2s-benchmark-1"


@dataclass(frozen=True, slots=True)
class Options:
    """How to run. ``prompt``: see ``protocol``; ``rules``: which frames and objects count;
    ``suite``: name of a suite, or None to score the folder as it is; ``floors``: score the two
    floors on the same frames; ``videos``, ``objects``: what to run, () for all; ``json``: the
    result file, which also makes an interrupted run resumable; ``masks``: a folder for the model's
    masks, in a layout that ``evaluate`` reads; ``progress``: show a bar."""

    prompt: PromptKind = "3-click"
    rules: ScoringRules = BENCHMARK
    suite: SuiteName | None = None
    floors: bool = False
    videos: tuple[str, ...] = ()
    objects: tuple[ObjectName, ...] = ()
    json: Path | None = None
    masks: Path | None = None
    progress: bool = True


@dataclass(frozen=True, slots=True)
class EvaluatedModel:
    """A tracker to score, and what the result says of it (name, weights' sha256, image size,
    memory rule, device...)."""

    tracker: TrackerLike
    about: Mapping[str, Any]


class Finished(Protocol):
    """Where finished videos go: a ``Journal``, or anything like it."""

    finished: dict[str, VideoScores]

    def add(self, scores: VideoScores) -> None:
        """Keep one more."""


@dataclass(frozen=True, slots=True)
class BenchmarkResult:
    """Scores of the model and, on request, of the floors, with all that is needed to get them
    again."""

    videos: tuple[VideoScores, ...]
    protocol: Mapping[str, Any]
    model: Mapping[str, Any]
    means: Means = OF_SUBSETS
    provenance: Mapping[str, Any] = field(default_factory=environment)

    @property
    def methods(self) -> tuple[str, ...]:
        """``model``, then the floors that were run."""
        return tuple(dict.fromkeys([MODEL, *(name for v in self.videos for name in v.methods)]))

    def board(self, method: str = MODEL) -> Scoreboard:
        """All objects as one method scored them."""
        return Scoreboard(
            tuple(o for v in self.videos for o in v.methods.get(method, ())), self.means
        )

    @property
    def prompted(self) -> Score | None:
        """The model's masks on the prompted frames, which ``board`` leaves out: how well it
        understood the prompts."""
        return Scoreboard(tuple(o for v in self.videos for o in v.prompted), self.means).mean

    @property
    def frames_per_second(self) -> float | None:
        """Frames end to end: read and decode the picture, resize, track all objects, masks at
        source size."""
        seconds = sum(v.seconds for v in self.videos)
        return sum(v.frames for v in self.videos) / seconds if seconds else None

    @property
    def object_frames_per_second(self) -> float | None:
        """The same, counting every object of every frame."""
        seconds = sum(v.seconds for v in self.videos)
        return sum(v.object_frames for v in self.videos) / seconds if seconds else None

    def to_json(self) -> dict[str, Any]:
        """The result file: the model's means at the top level, in percent; the floors' under
        ``floors``."""
        return {
            "format": FORMAT,
            "unit": "percent",
            "model": dict(self.model),
            "protocol": dict(self.protocol),
            **self.board().to_json(),
            "prompted_frames": percent(self.prompted),
            "fps": self.frames_per_second,
            "object_fps": self.object_frames_per_second,
            "floors": {
                name: {**self.board(name).to_json(), "course": course_json(self.board(name))}
                for name in self.methods
                if name != MODEL
            },
            "details": diagnostics_json(self.board()),
            **(
                {"suite": sa_sv_json(self.board())} if self.protocol.get("suite") == "sa-sv" else {}
            ),
            "skipped": {v.video: list(v.skipped) for v in self.videos if v.skipped},
            "provenance": dict(self.provenance),
        }


def open_model(
    model: SAM2S | str | os.PathLike[str],
    *,
    memory: str | Policy | None = None,
    device: str = "auto",
    precision: Precision = "auto",
    image_size: int | None = None,
    exclusive: bool = False,
) -> EvaluatedModel:
    """A model, by name, path or as it is, ready to be scored. ``memory`` None: the rule saved with
    the weights; ``exclusive``: objects that are tracked together do not overlap."""
    name = model.config.name if isinstance(model, SAM2S) else str(model)
    loaded = (
        model
        if isinstance(model, SAM2S)
        else load_model(model, device=device, image_size=image_size)
    )
    tracker = Tracker(loaded, memory, precision=precision, exclusive=exclusive)
    return EvaluatedModel(
        tracker,
        {
            "name": name,
            "sha256": weights_hash(loaded),
            "image_size": loaded.image_size,
            "memory": describe_rule(tracker.policy),
            "device": kind_of(tracker.device),
            "precision": precision,
            "exclusive": exclusive,
        },
    )


def run_benchmark(
    root: Path | str, evaluated: EvaluatedModel, options: Options | None = None
) -> BenchmarkResult:
    """Score a model on a masklet, DAVIS, YouTube-VOS or SA-V folder.

    Deterministic: no random number is drawn. Raises InputError for data that cannot be used, an
    unknown prompt kind, or when no object can be scored; finished videos are then kept beside
    ``options.json`` for the next attempt.
    """
    options = options or Options()
    folder, names = prepare(root, options)
    with ExitStack() as taken:
        journal = Journal(options.json, identity(folder, evaluated, options, names))
        taken.enter_context(journal)
        if options.masks is not None:
            taken.enter_context(lock_folder(options.masks, "benchmark"))
        score_videos(folder, evaluated, options, names, journal)
        result = assemble(folder, evaluated, options, names, journal.finished)
        journal.close(result.to_json())
    return result


def prepare(root: Path | str, options: Options) -> tuple[MaskletFolder, tuple[str, ...]]:
    """The data and the names of the videos to score, in order. InputError for whatever can be known
    to be wrong now."""
    check_kind(options.prompt)
    if options.floors:
        make_floors()  # a missing library is reported now, not after the first video
    if options.suite is None:
        folder = open_masklets(root)
        return folder, _chosen(folder.videos, options)
    chosen = choose(options.suite, root, options.progress)
    return chosen.folder, _chosen(
        {name: chosen.folder.videos[name] for name in chosen.names}, options
    )


def identity(
    folder: MaskletFolder, evaluated: EvaluatedModel, options: Options, names: Sequence[str]
) -> dict[str, Any]:
    """All that decides the scores, as JSON: runs of equal identity may share finished videos."""
    # Which data: names and ids, so that a result cannot be resumed on another folder.
    contents = {name: sorted(folder.videos[name].info.objects) for name in names}
    protocol = describe_protocol(folder, options)
    return {
        "model": dict(evaluated.about),
        "protocol": protocol,
        "floors": options.floors,
        "videos": contents,
    }


def score_videos(
    folder: MaskletFolder,
    evaluated: EvaluatedModel,
    options: Options,
    names: Sequence[str],
    journal: Finished,
) -> None:
    """Score those of ``names`` that ``journal`` does not hold yet, and add each to it once it is
    finished."""
    videos = [folder.videos[name] for name in names]
    with progress_bar(sum(len(v) for v in videos), shown=options.progress) as bar:
        for video in videos:
            if video.name not in journal.finished:
                bar.set_description(video.name)
                journal.add(_run_one(video, evaluated.tracker, options, folder.root.name, bar))
            else:
                bar.total -= len(video)
                bar.refresh()


def assemble(
    folder: MaskletFolder,
    evaluated: EvaluatedModel,
    options: Options,
    names: Sequence[str],
    finished: Mapping[str, VideoScores],
) -> BenchmarkResult:
    """The result of ``names``, all of them ``finished``. Raises InputError when no object can be
    scored."""
    protocol = describe_protocol(folder, options)
    means = Means(
        options.rules.unit, options.rules.mean, title_of if options.suite == "sa-sv" else None
    )
    result = BenchmarkResult(
        tuple(finished[name] for name in names), protocol, evaluated.about, means
    )
    if result.board().mean is None:
        raise InputError(
            f"{folder.root}: nothing to score; no object has an annotated frame after its first"
        )
    return result


def describe_protocol(folder: MaskletFolder, options: Options) -> dict[str, Any]:
    """Data and rules, as a result file states them."""
    return {
        "data": folder.root.name,
        "suite": options.suite,
        "prompt": options.prompt,
        "prompt_frame": "first annotated frame that shows the object",
        "rules": asdict(options.rules),
        "notes": list(choose_sa_sv(folder).notes) if options.suite == "sa-sv" else [],
        **({"objects": [str(name) for name in options.objects]} if options.objects else {}),
        "seed": None,
    }


def _run_one(
    video: MaskletVideo, tracker: TrackerLike, options: Options, source: str, bar: Any
) -> VideoScores:
    target = None if options.masks is None else options.masks / "Annotations" / video.name
    begun = bar.n
    only = Selection((), options.objects)
    task = VideoTask(options.prompt, source, options.rules, options.floors, only)
    scores = score_video(video, tracker, task, masks=target, on_frame=bar.update)
    # Frames before the first prompt and after the last annotation are not tracked.
    bar.total -= len(video) - (bar.n - begun)
    return scores


def _chosen(videos: Mapping[str, MaskletVideo], options: Options) -> tuple[str, ...]:
    there = {name: tuple(video.info.objects) for name, video in videos.items()}
    return Selection(options.videos, options.objects).of(there)
