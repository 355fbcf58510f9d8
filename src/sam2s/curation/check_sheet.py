"""Contact sheets: many labelled frames on one picture, to be looked at."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from sam2s.export.overlay import colour_of, fill_mask, outline_mask
from sam2s.files import replacing
from sam2s.masklets.masklets import MaskletVideo

CAPTION = 14
"""Height of the line of text above a tile, in pixels."""


@dataclass(frozen=True, slots=True)
class Tile:
    """One frame of a sheet: its index in the video, and what to write above it."""

    video: MaskletVideo
    index: int
    caption: str


def frame_tiles(video: MaskletVideo, count: int) -> list[Tile]:
    """Up to ``count`` frames of a video, evenly spread, first and last included."""
    indices = np.unique(np.linspace(0, len(video) - 1, min(count, len(video))).round().astype(int))
    return [Tile(video, int(i), f"{video.name} {video.frame_names[i]}") for i in indices]


def write_sheet(
    path: Path | str, tiles: Sequence[Tile], *, columns: int = 6, width: int = 240
) -> None:
    """Write the tiles as one PNG, ``columns`` a row, each ``width`` pixels wide."""
    drawn = [_draw(tile, width) for tile in tiles]
    height = max((tile.height for tile in drawn), default=CAPTION)
    columns = max(1, min(columns, len(drawn)))
    rows = -(-len(drawn) // columns)
    sheet = Image.new("RGB", (columns * width, max(1, rows) * height), "white")
    for place, tile in enumerate(drawn):
        sheet.paste(tile, (place % columns * width, place // columns * height))
    with replacing(Path(path)) as hidden:
        sheet.save(hidden, format="PNG")


def overlay(video: MaskletVideo, index: int) -> np.ndarray:
    """(H, W, 3) uint8: the frame with every object's mask in the colour of its id."""
    image = video.image(index).copy()
    for object_id in video.info.objects:
        mask = video.mask(object_id, index)
        if mask is not None:
            fill_mask(image, mask, colour_of(object_id))
            outline_mask(image, mask, colour_of(object_id), thickness=2)
    return image


def _draw(tile: Tile, width: int) -> Image.Image:
    picture = Image.fromarray(overlay(tile.video, tile.index))
    scale = width / picture.width
    picture = picture.resize((width, max(1, round(picture.height * scale))))
    framed = Image.new("RGB", (width, picture.height + CAPTION), "white")
    framed.paste(picture, (0, CAPTION))
    draw = ImageDraw.Draw(framed)
    draw.text((2, 1), tile.caption[: width // 6], fill="black")
    for object_id in tile.video.info.objects:
        mask = tile.video.mask(object_id, tile.index)
        if mask is not None and mask.any():
            rows, columns = np.nonzero(mask)
            place = (int(columns.mean() * scale), CAPTION + int(rows.mean() * scale) - 5)
            draw.text(place, str(object_id), fill="white", stroke_width=1, stroke_fill="black")
    return framed
