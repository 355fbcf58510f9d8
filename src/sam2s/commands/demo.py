"""``sam2s demo``: a synthetic operation whose true masks are known, tracked by the packaged model
from a few clicks.

The video goes through the very code of ``sam2s track``; the masks are then read from
``tracks.json`` and scored against the scene's own, on every frame after the prompted one.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np

from sam2s.commands.demo_footage import Footage, drawn_footage, packaged_footage
from sam2s.commands.jobs import END, new_job
from sam2s.commands.options import Demo, Track
from sam2s.commands.terminal import say
from sam2s.commands.track import Outcome, about, track_source
from sam2s.export.overlay import draw_overlay, save_grid
from sam2s.export.tracks import Tracks, read_tracks
from sam2s.export.writer import Output
from sam2s.files import check_folder, write_json
from sam2s.media.frames import open_frames
from sam2s.media.random_access import RandomAccess
from sam2s.metrics import Score, mean_score, score_sequence
from sam2s.synthetic import HELD_OUT
from sam2s.tracking.annotator import Click, center_click, to_points
from sam2s.tracking.session.actions import Give
from sam2s.tracking.session.ranges import Stretch
from sam2s.tracking.tracker import Tracker
from sam2s.types import FrameResult
from sam2s.weights.load import load_model

SURE, CLICKS = 0.5, 3
"""A user clicks again while the predicted IoU of an object's mask is below this, up to so many
clicks."""
SHEET = (2, 3)
"""Rows and columns of the contact sheet."""


def run(options: Demo) -> int:
    """Make the video, track, score, draw, and say where everything is and what it shows."""
    check_folder(options.out)
    model = load_model(options.model, device=options.device)
    video, overlay = options.out / "scene.mp4", options.out / "overlay.mp4"
    footage = (
        packaged_footage(video) if options.seed is None else drawn_footage(options.seed, video)
    )
    start = footage.start
    tracker = Tracker(model)
    clicks = {
        i: _click(tracker, footage.images[start], mask) for i, mask in footage.masks[start].items()
    }
    prompts = [Give(i, start, to_points(clicked)) for i, clicked in clicks.items()]
    job = new_job(prompts, Stretch(0, END), "forward")
    say(f"a synthetic operation ({HELD_OUT}, a procedure never trained on): {video}")
    with open_frames(video) as source:
        output = Output(options.out, overlay=overlay, names=footage.names, keep_earlier=False)
        asked = Track(str(video), options.out, model=options.model, frame=start)
        made = about(asked, tracker, job)
        outcome = track_source(
            RandomAccess(source), lambda reverse: Tracker(model, reverse=reverse), job, output, made
        )
    scores = _score(read_tracks(options.out / "tracks.json"), footage, start)
    sheet = _contact_sheet(options.out, footage)
    _summarise(options.out / "summary.json", footage, scores, outcome)
    say(f"contact sheet: {sheet}")
    for i, score in scores.items():
        given = f"{len(clicks[i])} click{'s' * (len(clicks[i]) > 1)} on frame {start}"
        say(
            f"object {i} {footage.names[i]}: J&F {100 * score.jf:.1f} against its true masks,"
            f" {given}"
        )
    say(f"summary: {options.out / 'summary.json'}")
    return 0


def _click(tracker: Tracker, image: np.ndarray, mask: np.ndarray) -> list[Click]:
    """What a user clicks who knows ``mask`` (H, W): the object's middle, then that of the largest
    error until the tracker is sure of itself."""
    clicks = [center_click(mask)]
    while len(clicks) < CLICKS:
        seen = tracker.preview(image, {1: to_points(clicks)})
        if seen.scores[1] >= SURE:
            break
        clicks.append(center_click(mask, seen.masks[1]))
    return clicks


def _score(tracks: Tracks, footage: Footage, start: int) -> dict[int, Score]:
    """Per object the mean over the frames after the prompted one."""

    def pairs(object_id: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        for frame in tracks.frames:
            if frame.index > start:
                yield frame.objects[object_id].mask, footage.masks[frame.index][object_id]

    scores = {i: score_sequence(pairs(i)) for i in tracks.frames[0].objects}
    return {i: score for i, score in scores.items() if score is not None}


def _summarise(path: Path, footage: Footage, scores: Mapping[int, Score], outcome: Outcome) -> None:
    mean = mean_score(scores.values())
    assert mean is not None, "every object is scored"
    objects = {
        str(i): {
            "class": footage.names[i],
            "jf": round(100 * s.jf, 2),
            "j": round(100 * s.j, 2),
            "f": round(100 * s.f, 2),
        }
        for i, s in scores.items()
    }
    content = {
        "jf_mean": round(100 * mean.jf, 2),
        "fps": round(outcome.fps, 2),
        "frames": outcome.frames,
        "unit": "percent; frames per second with decoding and writing; frames tracked",
        "objects": objects,
    }
    write_json(path, content)


def _contact_sheet(folder: Path, footage: Footage) -> Path:
    """Evenly spaced frames with their masks, as one picture."""
    tracks = read_tracks(folder / "tracks.json")
    rows, columns = SHEET
    shown = [
        tracks.frames[round(k)] for k in np.linspace(0, len(tracks.frames) - 1, rows * columns)
    ]
    tiles = []
    for frame in shown:
        masks = {i: tracked.mask for i, tracked in frame.objects.items()}
        scores = {i: tracked.score for i, tracked in frame.objects.items()}
        result = FrameResult(frame.index, frame.time, masks, scores=scores)
        tiles.append(draw_overlay(footage.images[frame.index], result, footage.names))
    path = folder / "contact_sheet.png"
    save_grid(path, [tiles[r * columns : (r + 1) * columns] for r in range(rows)])
    return path
