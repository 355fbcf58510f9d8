"""Colours in and out of the body; blanking is quick, showing again is slow."""

from __future__ import annotations

import numpy as np
from fakes import ROOM, TISSUE, picture

from sam2s.live.out_of_body import RETURN, BodyWatch, tissue_share


def test_shares():
    assert tissue_share(picture(TISSUE)) == 1.0
    assert tissue_share(picture(ROOM)) == 0.0
    assert tissue_share(picture((0, 0, 0))) == 0.0
    half = picture(TISSUE, (96, 96))
    half[:, :24] = ROOM
    assert abs(tissue_share(half) - 0.75) < 0.02
    half[48:] = 0  # unlit pixels do not count
    assert abs(tissue_share(half) - 0.75) < 0.02


def test_instruments_before_tissue_are_inside():
    scene = picture(TISSUE, (96, 96))
    scene[30:60, :50] = (150, 150, 155)
    assert not _settled(BodyWatch(), scene)


def test_it_blanks_at_once_and_shows_after_a_while():
    watch = BodyWatch()
    inside, outside = picture(TISSUE), picture(ROOM)
    assert watch.blanks(inside, 0.0), "until the inside was seen for long enough"
    assert watch.blanks(inside, RETURN - 0.01)
    assert not watch.blanks(inside, RETURN)
    assert watch.blanks(outside, RETURN + 0.04)
    assert watch.blanks(inside, RETURN + 0.08)
    assert watch.blanks(outside, 2 * RETURN)
    assert watch.blanks(inside, 2 * RETURN + 0.1), "the wait begins anew"
    assert watch.blanks(inside, 3 * RETURN)
    assert not watch.blanks(inside, 3 * RETURN + 0.11)


def _settled(watch: BodyWatch, image: np.ndarray) -> bool:
    watch.blanks(image, 0.0)
    return watch.blanks(image, RETURN)
