"""How good a mask gets by clicking: python scripts/click_curve.py MASKLETS... [--model nano]
[--sheet FILE.png]

Every object of a few frames of every video is clicked by the simulated user, up to ``--clicks``
times on its own frame; nothing is tracked. Prints J and F after every click, by data set and kind
of object. The sheet shows the masks after the first and the third click, worst objects first: the
true outline is white, clicks are yellow (on the object) and red (beside it).
"""

from __future__ import annotations

import argparse
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from PIL import Image

from sam2s.masklets.masklets import MaskletVideo, open_masklets
from sam2s.metrics import Score, score_frame
from sam2s.tracking.annotator import Click, center_click, to_points
from sam2s.tracking.tracker import Tracker
from sam2s.types import Frame
from sam2s.weights.load import load_model

MIN_PIXELS = 30
"""Smaller pieces are left out: nobody clicks them."""
SHOWN = (1, 3)
TILE = 200
COLUMNS = 4
TILES = 40


@dataclass(frozen=True, slots=True)
class Clicked:
    """One object: its ``scores`` after every click, and a ``tile`` for the sheet."""

    group: str
    scores: list[Score]
    tile: np.ndarray


def main() -> None:
    given = _arguments()
    model = load_model(given.model, device="cpu")
    if given.stability is not None:
        model.config = replace(model.config, stability_threshold=given.stability)
    tracker = Tracker(model)
    objects: list[Clicked] = []
    for root in given.masklets:
        for video in open_masklets(root).videos.values():
            if given.split is None or video.info.split == given.split:
                objects.extend(clicked(tracker, video, root.name, given))
    report(objects, given.clicks)
    if given.sheet is not None and objects:
        worst = sorted(objects, key=lambda o: o.scores[-1].j)[:: max(1, len(objects) // TILES)]
        draw([o.tile for o in worst[:TILES]], given.sheet)


def clicked(
    tracker: Tracker, video: MaskletVideo, name: str, given: argparse.Namespace
) -> Iterator[Clicked]:
    """Click every object on ``--frames`` frames, evenly spread over the video; objects of a frame
    go together."""
    for index in np.linspace(0, len(video) - 1, given.frames, dtype=int).tolist():
        truths = {i: mask for i in video.info.objects if (mask := video.mask(i, index)) is not None}
        truths = {i: mask for i, mask in truths.items() if mask.sum() >= MIN_PIXELS}
        if not truths:
            continue
        tracker.reset()
        frame, shown = Frame(0, None, video.image(index)), None
        clicks: dict[int, list[Click]] = {i: [] for i in truths}
        scores, masks = defaultdict(list), defaultdict(list)
        for _ in range(given.clicks):
            for i, truth in truths.items():
                clicks[i].append(center_click(truth, None if shown is None else shown.masks[i]))
            shown = tracker.preview(
                frame, {i: to_points(made) for i, made in clicks.items()}, shown
            )
            for i, truth in truths.items():
                scores[i].append(score_frame(shown.masks[i], truth))
                masks[i].append(shown.masks[i])
        for i, truth in truths.items():
            kind = video.info.objects[i].kind
            tiles = [
                _tile(frame.image, masks[i][n - 1], truth, clicks[i][:n])
                for n in SHOWN
                if n <= given.clicks
            ]
            yield Clicked(f"{name}, {kind}", scores[i], np.hstack(tiles))


def report(objects: list[Clicked], clicks: int) -> None:
    """A row per data set and kind, and one for all."""
    groups: dict[str, list[Clicked]] = defaultdict(list)
    for one in objects:
        groups[one.group].append(one)
    print("| J / F after | objects | " + " | ".join(f"{n + 1}" for n in range(clicks)) + " |")
    print("|---|---:|" + "---:|" * clicks)
    for group, members in [*sorted(groups.items()), ("all", objects)]:
        means = [
            np.mean([(o.scores[n].j, o.scores[n].f) for o in members], axis=0) * 100
            for n in range(clicks)
        ]
        print(
            f"| {group} | {len(members)} | "
            + " | ".join(f"{j:.1f} / {f:.1f}" for j, f in means)
            + " |"
        )


def draw(tiles: list[np.ndarray], path: Path) -> None:
    """The sheet, ``COLUMNS`` objects a row."""
    tiles = tiles + [np.zeros_like(tiles[0])] * (-len(tiles) % COLUMNS)
    rows = [np.hstack(tiles[k : k + COLUMNS]) for k in range(0, len(tiles), COLUMNS)]
    Image.fromarray(np.vstack(rows)).save(path)
    print(f"sheet: {path}")


def _tile(
    image: np.ndarray, mask: np.ndarray, truth: np.ndarray, clicks: list[Click]
) -> np.ndarray:
    canvas = image.copy()
    canvas[mask] = canvas[mask] // 2 + np.array([0, 127, 0], np.uint8)
    canvas[truth ^ np.roll(truth, 1, 0) | truth ^ np.roll(truth, 1, 1)] = 255
    reach = max(image.shape) // 128
    for click in clicks:
        spot = (slice(max(0, c - reach), c + reach + 1) for c in (click.y, click.x))
        canvas[tuple(spot)] = (255, 255, 0) if click.positive else (255, 0, 0)
    return np.asarray(Image.fromarray(canvas).resize((TILE, TILE)))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("masklets", type=Path, nargs="+")
    parser.add_argument("--model", default="nano")
    parser.add_argument("--clicks", type=int, default=5)
    parser.add_argument("--frames", type=int, default=2, help="frames of every video")
    parser.add_argument("--split", help="only videos of this split")
    parser.add_argument(
        "--stability", type=float, help="another stability threshold than the model's"
    )
    parser.add_argument("--sheet", type=Path)
    return parser.parse_args()


if __name__ == "__main__":
    main()
