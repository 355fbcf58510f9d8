"""Growths: one soft-edged bump of the picture's own tissue, which hardly stands out and can be
tracked."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from hypothesis import example, given, settings
from hypothesis import strategies as st
from scipy import ndimage

from sam2s.clips.stills.animate import Still, StillConfig, animate, draw_pieces
from sam2s.clips.stills.growth import INFO, RADIUS, growth

SIDE = 80


def tissue(seed: int = 0, side: int = 90) -> np.ndarray:
    noise = np.random.default_rng(seed).normal(0, 12, (side, side, 3))
    return np.clip(
        np.array([170.0, 90, 80]) + ndimage.gaussian_filter(noise, (2, 2, 0)) * 3, 0, 255
    ).astype(np.uint8)


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 10_000))
@example(1455)
def test_is_one_free_piece_of_tissue_in_the_middle(seed: int) -> None:
    made = growth(tissue(), SIDE, np.random.default_rng(seed))
    inside = made.rgba[..., 3] >= 128
    assert ndimage.label(inside)[1] == 1
    assert made.sticks
    assert made.info == INFO
    assert np.abs(made.pivot - 0.5).max() < 0.2
    radius = np.sqrt(inside.mean() / np.pi)
    assert 0.5 * RADIUS[0] < radius < 1.5 * RADIUS[1]
    assert (
        made.rgba[..., :3].max(axis=-1) <= made.rgba[..., 3]
    ).all()  # colours are multiplied by alpha


def test_hardly_stands_out() -> None:
    """Over many draws its colour differs from the tissue's by less than tissue differs from
    grey."""
    picture = tissue()
    gaps = []
    for seed in range(40):
        made = growth(picture, SIDE, np.random.default_rng(seed))
        solid = made.rgba[..., 3] == 255
        if solid.any():
            gaps.append(
                np.abs(made.rgba[solid, :3].mean(axis=0) - picture.mean(axis=(0, 1))).mean()
            )
    assert np.median(gaps) < 30


def test_repeats() -> None:
    one, two = (growth(tissue(), SIDE, np.random.default_rng(5)) for _ in range(2))
    assert np.array_equal(one.rgba, two.rgba)


def test_moves_with_the_scene_and_can_be_tracked() -> None:
    rng = np.random.default_rng(1)
    mask = np.zeros((90, 90), bool)
    mask[:6, :6] = True
    still = Still("still", tissue(), mask[None], (INFO,))
    pieces = draw_pieces([], [still.image, tissue(1)], None, 64, rng)
    clip = animate(still, pieces, (0, 4, 9), 64, replace(StillConfig(), absence=0.0), rng)
    assert clip.masks.shape[1] == len(clip.infos) == 3
    assert clip.masks[:, 1:].any(axis=(2, 3)).any(axis=0).all()
