"""Score masks on disk against true masks: ``sam2s evaluate``.

A mask that was not predicted is an empty one. Folders do not say what was prompted, so by default
every frame that the truth annotates counts, for every object of the truth; other rules are options
(``rules``: those of DAVIS 2017 and of SA-V's evaluator are there by name).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from sam2s.benchmark.environment import environment
from sam2s.benchmark.scoreboard import Means, ObjectScore, Scoreboard
from sam2s.benchmark.scoring_rules import (
    EVERY_FRAME,
    ScoringRules,
    Shown,
    counted,
    frames_to_score,
    takes_part,
)
from sam2s.benchmark.selection import Selection
from sam2s.benchmark.unmatched import Notes, frame_names, note_differences, note_videos
from sam2s.errors import InputError
from sam2s.files import check_file, write_json
from sam2s.masklets.mask_folders import VideoMasks, open_mask_folder
from sam2s.media.pictures import natural_key
from sam2s.metrics import Score, mean_score, score_frame
from sam2s.progress import progress_bar

FORMAT = "sam2s-evaluation-1"


@dataclass(frozen=True, slots=True)
class Evaluation:
    """Scores of a folder. ``missing``: {video: number of (object, frame) masks that were not
    predicted}; ``notes``: what the prediction holds that the truth does not, and masks that cover
    everything or nothing, a sentence each."""

    board: Scoreboard
    missing: Mapping[str, int]
    protocol: Mapping[str, Any]
    notes: Sequence[str] = ()
    provenance: Mapping[str, Any] = field(default_factory=environment)

    def to_json(self) -> dict[str, Any]:
        """The result file; scores in percent."""
        return {
            "format": FORMAT,
            "unit": "percent",
            "protocol": dict(self.protocol),
            **self.board.to_json(),
            "missing": dict(self.missing),
            "notes": list(self.notes),
            "provenance": dict(self.provenance),
        }


@dataclass(frozen=True, slots=True)
class _Extent:
    """Whether true and predicted mask show the object, and whether only the predicted one covers
    everything."""

    shown: Shown
    whole: bool


def evaluate_folders(
    pred: Path | str,
    gt: Path | str,
    *,
    rules: ScoringRules = EVERY_FRAME,
    chosen: Selection | None = None,
    json: Path | None = None,
    progress: bool = True,
) -> Evaluation:
    """J, F and J&F of the masks in ``pred`` against those in ``gt``; either in any layout of
    ``folders``.

    ``chosen``: the videos and objects of ``gt`` to score, by default all; ``json``: also write the
    result there. Raises InputError when a folder holds no masks, a video
    of ``gt`` was not predicted at all or under other frame names, masks differ in size, or nothing
    is left to score.
    """
    check_file(json)
    chosen = chosen or Selection()
    truth, predicted = open_mask_folder(gt), open_mask_folder(pred)
    names = chosen.of({name: tuple(video.objects) for name, video in truth.items()})
    truth = {name: truth[name] for name in names}
    pairs = _pair(truth, predicted, pred)
    notes = Notes()
    note_videos(notes, truth, predicted)
    for true, other in pairs:
        note_differences(notes, true, other)
    objects: list[ObjectScore] = []
    missing: dict[str, int] = {}
    jobs = [
        (true, other, object_id)
        for true, other in pairs
        for object_id in true.objects
        if chosen.takes(true.name, object_id)
    ]
    for true, other, object_id in progress_bar(len(jobs), unit="object", over=jobs, shown=progress):
        order = sorted(frame_names(true), key=natural_key)
        start = _start(true, object_id, order)
        if not takes_part(rules, start, range(len(order))):
            continue
        frames = _frames(true, object_id, order, start, rules)
        absent = len(set(frames) - set(other.masks.frames(object_id)))
        if absent:
            missing[true.name] = missing.get(true.name, 0) + absent
        scored = list(_score_frames(true, other, object_id, frames))
        _note_extent(notes, true.name, object_id, [shown for shown, _ in scored])
        score = mean_score(counted(rules, [(shown.shown, score) for shown, score in scored]))
        objects.append(_object_score(true, object_id, Path(gt).name, start, score))
    board = Scoreboard(tuple(objects), Means(rules.unit, rules.mean))
    if board.mean is None:
        raise InputError(
            f"{gt}: no annotated frame is left to score; skip less, or check the folder"
            + "".join(f" ({note})" for note in notes.all()[:1])
        )
    protocol = {"pred": str(pred), "gt": str(gt), "rules": asdict(rules), **_said(chosen)}
    result = Evaluation(board, missing, protocol, notes.all())
    if json is not None:
        write_json(json, result.to_json())
    return result


def _said(chosen: Selection) -> dict[str, Any]:
    """What was chosen, as the result file states it; nothing where all was scored."""
    said = {"videos": list(chosen.videos), "objects": [str(name) for name in chosen.objects]}
    return {key: names for key, names in said.items() if names}


def _pair(
    truth: Mapping[str, VideoMasks], predicted: Mapping[str, VideoMasks], where: Path | str
) -> list[tuple[VideoMasks, VideoMasks]]:
    """True and predicted videos of the same name; two folders of one video each need not agree on
    it."""
    if len(truth) == len(predicted) == 1:
        pairs = list(zip(truth.values(), predicted.values(), strict=True))
    else:
        lacking = [name for name in truth if name not in predicted]
        if lacking:
            raise InputError(
                f"{where}: has no masks of video '{lacking[0]}' ({len(lacking)} of {len(truth)}"
                " missing)"
            )
        pairs = [(truth[name], predicted[name]) for name in truth]
    for true, other in pairs:
        ours, theirs = frame_names(true), frame_names(other)
        if ours and theirs and not ours & theirs:
            raise InputError(
                f"{where}: no mask of video '{true.name}' is named as a true one is"
                f" ('{min(theirs)}.png' there, '{min(ours)}.png' in the truth); give them the"
                " frames' names"
            )
    return pairs


def _start(video: VideoMasks, object_id: int, order: list[str]) -> int | None:
    """The place, among the video's annotated frames, of the first that shows the object."""
    for frame in video.masks.frames(object_id):
        mask = video.masks.read(object_id, frame)
        assert mask is not None, "a listed frame is annotated"
        if mask.any():
            return order.index(frame)
    return None


def _frames(
    video: VideoMasks, object_id: int, order: list[str], start: int | None, rules: ScoringRules
) -> list[str]:
    """Names of the frames that may count for the object."""
    places = {frame: i for i, frame in enumerate(order)}
    annotated = [places[frame] for frame in video.masks.frames(object_id)]
    return [order[i] for i in frames_to_score(rules, annotated, start, range(len(order)))]


def _score_frames(
    true: VideoMasks, other: VideoMasks, object_id: int, frames: list[str]
) -> Iterator[tuple[_Extent, Score]]:
    for frame in frames:
        mask, guess = true.masks.read(object_id, frame), other.masks.read(object_id, frame)
        if mask is None:  # annotated for another object: the rules say it is absent
            mask = np.zeros(_size(true, frame), bool)
        guess = np.zeros_like(mask) if guess is None else guess
        if guess.shape != mask.shape:
            raise InputError(
                f"{other.name}, object {object_id}, frame {frame}: the predicted mask is"
                f" {guess.shape}, the true one {mask.shape} (height, width); write masks at the"
                " source's size"
            )
        shown = Shown(bool(mask.any()), bool(guess.any()))
        yield _Extent(shown, bool(guess.all()) and not mask.all()), score_frame(guess, mask)


def _note_extent(notes: Notes, video: str, object_id: int, frames: Sequence[_Extent]) -> None:
    """Predictions of everything or nothing, which are mistakes of files more often than of
    models."""
    whole = sum(frame.whole for frame in frames)
    if whole:
        notes.add(
            "whole",
            f"video '{video}', object {object_id}: {whole} of {len(frames)} predicted masks cover"
            " the whole picture, where the true ones do not",
        )
    if any(f.shown.truth for f in frames) and not any(f.shown.guess for f in frames):
        notes.add(
            "nothing", f"video '{video}', object {object_id}: no predicted mask shows anything"
        )


def _size(video: VideoMasks, frame: str) -> tuple[int, ...]:
    """(H, W) by whichever object is annotated on the frame."""
    return next(
        mask.shape for i in video.masks.ids() if (mask := video.masks.read(i, frame)) is not None
    )


def _object_score(
    video: VideoMasks, object_id: int, source: str, first: int | None, score: Score | None
) -> ObjectScore:
    info = video.objects[object_id]
    return ObjectScore(
        video=video.name,
        object_id=object_id,
        source=video.info.source or source,
        kind=info.kind,
        procedure=video.info.procedure,
        class_name=info.class_name,
        first=first,
        score=score,
    )
