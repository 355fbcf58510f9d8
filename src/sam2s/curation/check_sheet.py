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

Rectangle = tuple[int, int, int, int]
"""Left, top, right, bottom in pixels, ends exclusive."""
ZOOM = 4
"""How many times larger a close-up shows what is small."""
MARK = (255, 30, 30)
"""Red: no object of ids 1 to 10 has it."""
MARGIN, SMALLEST = 3.0, 10.0
"""Pixels of a tile that a mark stands off, and the least side of what it frames."""
CAPTION = 14
"""Height of the line of text above a tile, in pixels."""


@dataclass(frozen=True, slots=True)
class Tile:
    """One frame of a sheet: its index in the video, what to write above it; ``marks``: what to
    frame in it; ``window``: the part to show, None for all. Both in the video's pixels."""

    video: MaskletVideo
    index: int
    caption: str
    marks: tuple[Rectangle, ...] = ()
    window: Rectangle | None = None


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
    left, top, right, bottom = tile.window or (0, 0, *tile.video.size[::-1])
    picture = Image.fromarray(overlay(tile.video, tile.index)[top:bottom, left:right])
    scale = width / picture.width
    picture = picture.resize((width, max(1, round(picture.height * scale))))
    framed = Image.new("RGB", (width, picture.height + CAPTION), "white")
    draw = ImageDraw.Draw(framed)
    framed.paste(picture, (0, CAPTION))
    for object_id in tile.video.info.objects:
        mask = tile.video.mask(object_id, tile.index)
        if mask is not None and mask.any():
            rows, columns = np.nonzero(mask)
            x, y = int((columns.mean() - left) * scale), int((rows.mean() - top) * scale)
            if 0 <= x < width and 5 <= y < picture.height:
                place = (x, CAPTION + y - 5)
                draw.text(place, str(object_id), fill="white", stroke_width=1, stroke_fill="black")
    for mark in tile.marks:
        moved = mark[0] - left, mark[1] - top, mark[2] - left, mark[3] - top
        if moved[2] > 0 and moved[3] > 0 and mark[0] < right and mark[1] < bottom:
            draw.rectangle(_frame(moved, scale, picture.size), outline=MARK, width=2)
    draw.text((2, 1), tile.caption[: width // 6], fill="black")
    return framed


def close_up(video: MaskletVideo, mark: Rectangle) -> Rectangle:
    """A part of the video's picture, of its shape, with a mark in its middle as far as that goes:
    a quarter of each side, or as much as the mark needs."""
    height, width = video.size
    share = min(
        1.0, max(1 / ZOOM, 1.5 * (mark[2] - mark[0]) / width, 1.5 * (mark[3] - mark[1]) / height)
    )
    wide, tall = max(1, round(share * width)), max(1, round(share * height))
    left = min(max(0, (mark[0] + mark[2] - wide) // 2), width - wide)
    top = min(max(0, (mark[1] + mark[3] - tall) // 2), height - tall)
    return left, top, left + wide, top + tall


def _frame(
    mark: Rectangle, scale: float, size: tuple[int, int]
) -> tuple[float, float, float, float]:
    """A mark's place in a tile: a little larger than what it is about, and never too small to be
    seen; within the picture of ``size`` (width, height)."""
    left, top, right, bottom = (side * scale for side in mark)
    spare = MARGIN + max(0.0, SMALLEST - min(right - left, bottom - top)) / 2
    return (
        max(0.0, left - spare),
        CAPTION + max(0.0, top - spare),
        min(size[0] - 1.0, right + spare),
        CAPTION + min(size[1] - 1.0, bottom + spare),
    )
