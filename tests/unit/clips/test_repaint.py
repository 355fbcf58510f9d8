"""Repainting: only the object's side changes, masks never, and the same in every frame."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from sam2s.clips.repaint import RepaintConfig, repaint

CONFIG = RepaintConfig(share=1.0, strength=(0.9, 0.9), gain=(1.5, 1.5), ground=0.0)


def clip() -> tuple[np.ndarray, np.ndarray]:
    """A grey disc that goes to the right on darker grey."""
    y, x = np.mgrid[:64, :80]
    masks = np.stack([(y - 30) ** 2 + (x - 24 - 5 * t) ** 2 < 196 for t in range(4)])[:, None]
    return np.where(masks[:, 0, ..., None], 120, 60).astype(np.uint8).repeat(3, -1), masks


@pytest.mark.parametrize("seed", range(8))
def test_one_side_of_the_object_takes_on_another_tone(seed: int) -> None:
    images, masks = clip()
    painted = repaint(images, masks, CONFIG, np.random.default_rng(seed))
    changed = (painted.astype(int) - images).any(axis=-1)
    inside = masks[:, 0]
    assert not changed[~inside].any()
    shares = changed.sum(axis=(1, 2)) / inside.sum(axis=(1, 2))
    assert (shares > 0.05).all()
    assert (shares < 0.98).all()
    # The line goes with the object: the disc moves by whole pixels, and its tones with it.
    np.testing.assert_array_equal(painted[0, :, 10:40], painted[1, :, 15:45])


def test_or_the_background_about_it() -> None:
    images, masks = clip()
    painted = repaint(images, masks, replace(CONFIG, ground=1.0), np.random.default_rng(1))
    changed = (painted.astype(int) - images).any(axis=-1)
    assert not changed[masks[:, 0]].any()
    assert changed.any(axis=(1, 2)).all()


def test_a_frame_without_the_object_stays_as_it_is() -> None:
    images, masks = clip()
    masks[2] = False
    painted = repaint(images, masks, CONFIG, np.random.default_rng(2))
    np.testing.assert_array_equal(painted[2], images[2])
    assert (painted[3] != images[3]).any()
