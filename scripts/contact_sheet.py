"""A picture of results: python scripts/contact_sheet.py DATA MASKS OUT.png [--video NAME]...
[--columns N]

``DATA``: a masklet folder; ``MASKS``: what ``sam2s benchmark --masks`` kept. One row per video,
frames spread over its length from the first prompt on. Predicted masks are filled, true ones
outlined, one colour per object.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from sam2s.export.overlay import colour_of, fill_mask, outline_mask
from sam2s.masklets.annotations import Annotations, open_annotations
from sam2s.masklets.masklets import MaskletVideo, open_masklets

TILE = 224


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("data", type=Path)
    parser.add_argument("masks", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--video", action="append", default=[])
    parser.add_argument("--columns", type=int, default=8)
    given = parser.parse_args()
    contact_sheet(given.data, given.masks, given.out, given.video, given.columns)


def contact_sheet(
    data: Path, masks: Path, out: Path, names: Sequence[str] = (), columns: int = 8
) -> None:
    """Write the sheet of the named videos, or of all that ``masks`` holds."""
    videos = open_masklets(data).videos
    kept = masks / "Annotations"
    chosen = [name for name in (names or videos) if (kept / name).is_dir()]
    rows = [list(_row(videos[name], open_annotations(kept / name), columns)) for name in chosen]
    sheet = Image.new("RGB", (columns * TILE, max(len(rows), 1) * TILE))
    for y, row in enumerate(rows):
        for x, tile in enumerate(row):
            sheet.paste(tile, (x * TILE, y * TILE))
    sheet.save(out)


def _row(video: MaskletVideo, masks: Annotations, columns: int) -> Iterator[Image.Image]:
    """Tiles of one video: its first tracked frame, its last, and frames between."""
    index = {name: i for i, name in enumerate(video.frame_names)}
    tracked = sorted(index[name] for object_id in masks.ids() for name in masks.frames(object_id))
    if not tracked:
        return
    for i in np.linspace(tracked[0], tracked[-1], columns).round().astype(int):
        frame = video.frame_names[i]
        predicted = {o: mask for o in masks.ids() if (mask := masks.read(o, frame)) is not None}
        true = {o: mask for o in video.info.objects if (mask := video.mask(o, int(i))) is not None}
        picture = Image.fromarray(draw(video.image(int(i)), predicted, true))
        tile = picture.resize((TILE, TILE), Image.Resampling.BILINEAR)
        ImageDraw.Draw(tile).text(
            (4, 4), f"{video.name} {frame}", fill=(255, 255, 255), stroke_width=1, stroke_fill=0
        )
        yield tile


def draw(
    image: np.ndarray, predicted: Mapping[int, np.ndarray], true: Mapping[int, np.ndarray]
) -> np.ndarray:
    """The picture (H, W, 3) uint8 with ``predicted`` masks filled and ``true`` ones outlined."""
    canvas = image.copy()
    for object_id, mask in predicted.items():
        fill_mask(canvas, mask, colour_of(object_id))
    width = max(1, round(max(image.shape[:2]) / TILE))
    for object_id, mask in true.items():
        outline_mask(canvas, mask, (0, 0, 0), 2 * width)
        outline_mask(canvas, mask, colour_of(object_id), width)
    return canvas


if __name__ == "__main__":
    main()
