"""Masks of instruments whose tip, width and entry are known."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from sam2s.formats.result import ObjectMask, Result, ResultFrame

SIZE = (120, 160)


def shaft(
    entry: tuple[float, float], tip: tuple[float, float], width: float, size: tuple[int, int] = SIZE
) -> np.ndarray:
    """(H, W) bool: the pixels within half a ``width`` of the line from ``entry``, which goes on
    backwards, to ``tip``."""
    ys, xs = np.mgrid[: size[0], : size[1]]
    way = np.subtract(tip, entry)
    length = np.hypot(*way)
    along = ((xs - entry[0]) * way[0] + (ys - entry[1]) * way[1]) / length
    across = ((ys - entry[1]) * way[0] - (xs - entry[0]) * way[1]) / length
    return (along <= length) & (np.abs(across) <= width / 2)


def result_of(
    frames: Sequence[Mapping[int, np.ndarray]],
    names: Mapping[int, str] | None = None,
    fps: float | None = 25.0,
    times: Sequence[float | None] | None = None,
) -> Result:
    """Masks as a run would have found them."""

    def each() -> Iterator[ResultFrame]:
        for index, masks in enumerate(frames):
            clock = None if fps is None else index / fps
            time = clock if times is None else times[index]
            yield ResultFrame(index, time, {i: ObjectMask.of(m) for i, m in masks.items()})

    return Result("op", SIZE, fps, names or {}, each)
