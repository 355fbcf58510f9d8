"""Score masks on disk against true masks: ``sam2s evaluate``.

Every frame that the truth annotates counts, for every object of the truth; a mask that was not predicted is an empty
one. Folders do not say what was prompted, so by default nothing is skipped. ``skip_first`` leaves out each object's
frames up to the first that shows it (the prompted one under ``benchmark.protocol``); ``skip_last`` each video's last
annotated frame. DAVIS's semi-supervised rule is both, for videos whose objects are all there from the start.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from sam2s.benchmark.folders import VideoMasks, open_mask_folder
from sam2s.benchmark.journal import write_json
from sam2s.benchmark.provenance import provenance
from sam2s.benchmark.scoreboard import ObjectScore, Scoreboard
from sam2s.data.pictures import natural_key
from sam2s.errors import InputError
from sam2s.metrics import Score, mean_score, score_frame

FORMAT = "sam2s-evaluation-1"


@dataclass(frozen=True, slots=True)
class Evaluation:
    """Scores of a folder. ``missing``: {video: number of (object, frame) masks that were not predicted}."""

    board: Scoreboard
    missing: Mapping[str, int]
    protocol: Mapping[str, Any]
    provenance: Mapping[str, Any] = field(default_factory=provenance)

    def to_json(self) -> dict[str, Any]:
        return {
            "format": FORMAT,
            "unit": "percent",
            "protocol": dict(self.protocol),
            **self.board.to_json(),
            "missing": dict(self.missing),
            "provenance": dict(self.provenance),
        }


def evaluate_folders(
    pred: Path | str,
    gt: Path | str,
    *,
    skip_first: bool = False,
    skip_last: bool = False,
    json: Path | None = None,
    progress: bool = True,
) -> Evaluation:
    """J, F and J&F of the masks in ``pred`` against those in ``gt``; either in any layout of ``folders``.

    ``json``: also write the result there. Raises InputError when a folder holds no masks, a video of ``gt`` was not
    predicted at all or under other frame names, masks differ in size, or nothing is left to score.
    """
    truth, predicted = open_mask_folder(gt), open_mask_folder(pred)
    pairs = _pair(truth, predicted, pred)
    objects: list[ObjectScore] = []
    missing: dict[str, int] = {}
    jobs = [(true, other, object_id) for true, other in pairs for object_id in true.objects]
    for true, other, object_id in tqdm(jobs, unit="object", disable=not progress, dynamic_ncols=True):
        first, frames = _scored_frames(true, object_id, skip_first, skip_last)
        absent = len(set(frames) - set(other.masks.frames(object_id)))
        if absent:
            missing[true.name] = missing.get(true.name, 0) + absent
        score = mean_score(_score_frames(true, other, object_id, frames))
        objects.append(_object_score(true, object_id, Path(gt).name, first, score))
    board = Scoreboard(tuple(objects))
    if board.mean is None:
        raise InputError(f"{gt}: no annotated frame is left to score; skip less, or check the folder")
    protocol = {"pred": str(pred), "gt": str(gt), "skip_first": skip_first, "skip_last": skip_last}
    result = Evaluation(board, missing, protocol)
    if json is not None:
        write_json(json, result.to_json())
    return result


def _pair(
    truth: Mapping[str, VideoMasks], predicted: Mapping[str, VideoMasks], where: Path | str
) -> list[tuple[VideoMasks, VideoMasks]]:
    """True and predicted videos of the same name; two folders of one video each need not agree on it."""
    if len(truth) == len(predicted) == 1:
        pairs = list(zip(truth.values(), predicted.values(), strict=True))
    else:
        lacking = [name for name in truth if name not in predicted]
        if lacking:
            raise InputError(f"{where}: has no masks of video '{lacking[0]}' ({len(lacking)} of {len(truth)} missing)")
        pairs = [(truth[name], predicted[name]) for name in truth]
    for true, other in pairs:
        ours, theirs = _frame_names(true), _frame_names(other)
        if ours and theirs and not ours & theirs:
            raise InputError(
                f"{where}: no mask of video '{true.name}' is named as a true one is "
                f"('{min(theirs)}.png' there, '{min(ours)}.png' in the truth); give them the frames' names"
            )
    return pairs


def _frame_names(video: VideoMasks) -> set[str]:
    return {frame for object_id in video.masks.ids() for frame in video.masks.frames(object_id)}


def _scored_frames(
    video: VideoMasks, object_id: int, skip_first: bool, skip_last: bool
) -> tuple[int | None, list[str]]:
    """(place of the first frame that shows the object among the video's annotated ones, frames to score)."""
    order = sorted(_frame_names(video), key=natural_key)
    frames = video.masks.frames(object_id)
    first = next((frame for frame in frames if _read(video, object_id, frame).any()), None)
    if skip_first:
        frames = frames[frames.index(first) + 1 :] if first is not None else []
    if skip_last:
        frames = [frame for frame in frames if frame != order[-1]]
    return (None if first is None else order.index(first)), frames


def _score_frames(true: VideoMasks, other: VideoMasks, object_id: int, frames: list[str]) -> Iterator[Score]:
    for frame in frames:
        mask = _read(true, object_id, frame)
        guess = other.masks.read(object_id, frame)
        guess = np.zeros_like(mask) if guess is None else guess
        if guess.shape != mask.shape:
            raise InputError(
                f"{other.name}, object {object_id}, frame {frame}: the predicted mask is {guess.shape}, the true one "
                f"{mask.shape} (height, width); write masks at the source's size"
            )
        yield score_frame(guess, mask)


def _read(video: VideoMasks, object_id: int, frame: str) -> np.ndarray:
    mask = video.masks.read(object_id, frame)
    assert mask is not None, "a listed frame is annotated"
    return mask


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
