"""The worst and the best objects of a run as pictures: where they are, and what was said of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from sam2s.benchmark.protocol import Target, plan
from sam2s.benchmark.scoring_rules import ScoringRules
from sam2s.errors import InputError
from sam2s.export.overlay import fill_mask, outline_mask, save_grid
from sam2s.masklets.masklets import MaskletFolder, MaskletVideo
from sam2s.masklets.masks import read_binary_mask

SHOWN = 3
"""So many of the worst objects, and of the best."""
TIMES = 4
"""Frames of each where one run is shown: the prompted one, and others to the end."""
WIDTH = 320
"""Pixels of a tile; its height follows from the video."""
BAND = 18
"""Pixels above a picture for its words."""
TRUTH, GUESS = (255, 255, 255), (0, 200, 255)


@dataclass(frozen=True, slots=True)
class MasksOfRun:
    """Where a run left its masks: ``<folder>/Annotations/<video>/<id>/<frame>.png``. ``label``
    names the run."""

    label: str
    folder: Path

    def read(self, video: MaskletVideo, object_id: int, index: int) -> np.ndarray:
        """(H, W) bool; empty where nothing was written."""
        name = f"{video.frame_names[index]}.png"
        path = self.folder / "Annotations" / video.name / f"{object_id:03d}" / name
        return read_binary_mask(path) if path.is_file() else np.zeros(video.size, bool)


def draw_extremes(
    path: Path,
    data: MaskletFolder,
    entries: Sequence[Mapping[str, Any]],
    runs: Sequence[MasksOfRun],
) -> bool:
    """A row for each of the worst and the best objects by J&F (of several runs, by their mean):
    of one run four frames, of several the last scored frame under each. The true outline is white,
    the mask tinted. ``entries``: the runs' JSON. False, and no file, where nothing has a score."""
    scores = {
        name: float(np.mean([entry["objects"][name]["jf"] for entry in entries]))
        for name in entries[0]["objects"]
        if all(entry["objects"].get(name, {}).get("jf") is not None for entry in entries)
    }
    ranked = sorted(scores, key=scores.__getitem__)
    if not ranked:
        return False
    few = len(ranked) <= 2 * SHOWN
    chosen = ranked if few else [*ranked[:SHOWN], *ranked[-SHOWN:]]
    rules = ScoringRules(**entries[0]["protocol"]["rules"])
    rows = []
    for name in chosen:
        words = f"{name} {entries[0]['objects'][name]['class'] or ''}".rstrip()
        rows.append(_row(data, name, rules, f"{words}: J&F {scores[name]:.1f}", runs))
    height = max(tile.shape[0] for row in rows for tile in row)
    save_grid(path, [[_padded(tile, height) for tile in row] for row in rows])
    return True


def _row(
    data: MaskletFolder,
    name: str,
    rules: ScoringRules,
    words: str,
    runs: Sequence[MasksOfRun],
) -> list[np.ndarray]:
    video_name, _, number = name.rpartition("/")
    video, object_id = data.videos[video_name], int(number)
    target = next(t for t in plan(video, rules) if t.object_id == object_id)
    frames = _moments(target)
    if len(runs) == 1:
        shown = [(runs[0], index) for index in frames]
    else:
        shown = [(run, frames[-1]) for run in runs]
    tiles = []
    for k, (run, index) in enumerate(shown):
        said = words if k == 0 else (run.label if len(runs) > 1 else "")
        said = f"{said}  frame {index}".strip() if k or len(runs) == 1 else f"{words}  {run.label}"
        tiles.append(_tile(video, object_id, index, run, said))
    return tiles


def _moments(target: Target) -> list[int]:
    """The prompted frame, and scored ones evenly spread to the last."""
    scored = sorted(index for index in target.scored if index != target.start)
    if not scored:
        return [target.start] * TIMES
    places = np.linspace(0, len(scored) - 1, TIMES).round().astype(int)[1:]
    return [target.start, *(scored[k] for k in places)]


def _tile(
    video: MaskletVideo, object_id: int, index: int, run: MasksOfRun, words: str
) -> np.ndarray:
    canvas = video.image(index).copy()
    guess = run.read(video, object_id, index)
    if guess.shape != canvas.shape[:2]:
        raise InputError(f"{run.folder}: its masks of '{video.name}' are of another size")
    fill_mask(canvas, guess, GUESS)
    truth = video.mask(object_id, index)
    thickness = max(1, round(canvas.shape[1] / WIDTH))
    outline_mask(canvas, guess, GUESS, thickness)
    if truth is not None:
        outline_mask(canvas, truth, TRUTH, thickness)
    height = round(WIDTH * canvas.shape[0] / canvas.shape[1])
    picture = Image.new("RGB", (WIDTH, height + BAND), (24, 24, 24))
    picture.paste(Image.fromarray(canvas).resize((WIDTH, height)), (0, BAND))
    font = ImageFont.load_default(size=12)
    ImageDraw.Draw(picture).text((4, 2), words, fill=(235, 235, 235), font=font)
    return np.asarray(picture)


def _padded(tile: np.ndarray, height: int) -> np.ndarray:
    return np.pad(tile, ((0, height - tile.shape[0]), (0, 0), (0, 0)))
