"""Augmentation: what identity keeps, that masks follow pictures, and that draws repeat."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from sam2s.clips.augment import Augmentation, AugmentConfig, apply, draw, identity
from sam2s.geometry import image_to_model, mask_to_model, normalise

STILL = AugmentConfig(
    hflip=0, affine=0, brightness=0, contrast=0, saturation=0,
    frame_brightness=0, frame_contrast=0, frame_saturation=0, gray=0,
)  # fmt: skip


HALF = 0.5 / 255
"""A grey value is rounded by no more than this."""


def rgb(pictures: torch.Tensor) -> torch.Tensor:
    assert pictures.dtype == torch.uint8
    return pictures.float() / 255


def clip_of(seed: int, frames: int = 2, side: int = 32) -> tuple[np.ndarray, np.ndarray]:
    """A bright ellipse on black in every frame, and its mask."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:side, :side]
    images, masks = [], []
    for _ in range(frames):
        cy, cx = rng.uniform(side * 0.4, side * 0.6, 2)
        inside = ((y - cy) / (side * 0.15)) ** 2 + ((x - cx) / (side * 0.25)) ** 2 < 1
        images.append(np.where(inside[..., None], 255, 0).repeat(3, -1).astype(np.uint8))
        masks.append(inside[None])
    return np.stack(images), np.stack(masks)


@pytest.mark.parametrize("size", [32, 64, 96])
def test_identity_is_what_the_tracker_does_to_frames(size: int) -> None:
    images = np.random.default_rng(0).integers(0, 256, (2, 64, 64, 3)).astype(np.uint8)
    masks = np.zeros((2, 1, 64, 64), bool)
    masks[:, :, 10:40, 20:50] = True
    pictures, planes = apply(identity(2), images, masks, size)
    expected = torch.cat([image_to_model(image, size) for image in images])
    assert torch.equal(normalise(pictures), expected)
    for plane, mask in zip(planes[:, 0], masks[:, 0], strict=True):
        assert torch.equal(plane.float(), mask_to_model(mask, size))


def test_nothing_drawn_changes_nothing() -> None:
    images, masks = clip_of(0)
    still = apply(draw(STILL, 2, np.random.default_rng(0)), images, masks, 32)
    plain = apply(identity(2), images, masks, 32)
    assert torch.equal(still[0], plain[0])
    assert torch.equal(still[1], plain[1])


def test_flip_mirrors_picture_and_mask() -> None:
    images, masks = clip_of(1)
    flip = Augmentation(
        torch.tensor([[-1.0, 0, 0], [0, 1.0, 0]]), torch.eye(3).repeat(2, 1, 1), torch.zeros(2, 3)
    )
    pictures, planes = apply(flip, images, masks, 32)
    plain, straight = apply(identity(2), images, masks, 32)
    assert torch.equal(pictures, plain.flip(-1))
    assert torch.equal(planes, straight.flip(-1))


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 10_000))
def test_masks_follow_the_picture(seed: int) -> None:
    images, masks = clip_of(seed)
    config = AugmentConfig(
        degrees=40, shear=20, scale=(0.7, 1.4), shift=0.2, brightness=0, contrast=0, saturation=0,
        frame_brightness=0, frame_contrast=0, frame_saturation=0, gray=0,
    )  # fmt: skip
    pictures, planes = apply(draw(config, 2, np.random.default_rng(seed)), images, masks, 32)
    bright = rgb(pictures).mean(1) > 0.5
    assert (bright != planes[:, 0]).float().mean() < 0.01


def test_geometry_is_one_for_all_frames_and_colour_is_not() -> None:
    images, masks = clip_of(2)
    images[1], masks[1] = images[0], masks[0]
    config = AugmentConfig(frame_brightness=0.5)
    pictures, planes = apply(draw(config, 2, np.random.default_rng(3)), images, masks, 32)
    assert torch.equal(planes[0], planes[1])
    assert (rgb(pictures[0]) - rgb(pictures[1])).abs().max() > 0.05


def test_gray_leaves_one_colour() -> None:
    images = np.random.default_rng(0).integers(0, 256, (1, 16, 16, 3)).astype(np.uint8)
    config = AugmentConfig(hflip=0, affine=0, gray=1.0)
    pictures, _ = apply(
        draw(config, 1, np.random.default_rng(0)), images, np.zeros((1, 0, 16, 16), bool), 16
    )
    shades = rgb(pictures)[0]
    assert torch.equal(shades[0], shades[1])
    assert torch.equal(shades[0], shades[2])


def test_hue_keeps_greys_and_turns_colours() -> None:
    grey = np.full((1, 8, 8, 3), 120, np.uint8)
    red = np.zeros((1, 8, 8, 3), np.uint8)
    red[..., 0] = 200
    config = AugmentConfig(
        hflip=0, affine=0, brightness=0, contrast=0, saturation=0, hue=0.5,
        frame_brightness=0, frame_contrast=0, frame_saturation=0, gray=0,
    )  # fmt: skip
    change = draw(config, 1, np.random.default_rng(5))
    empty = np.zeros((1, 0, 8, 8), bool)
    shades = rgb(apply(change, grey, empty, 8)[0])
    torch.testing.assert_close(shades, torch.full((1, 3, 8, 8), 120 / 255), atol=HALF, rtol=0)
    assert (rgb(apply(change, red, empty, 8)[0])[0, 1:] > 0.05).any()


def test_pictures_stay_in_range() -> None:
    images, masks = clip_of(4)
    wild = AugmentConfig(brightness=0.9, contrast=0.9, saturation=0.9, hue=0.5)
    for seed in range(10):
        shades = rgb(apply(draw(wild, 2, np.random.default_rng(seed)), images, masks, 32)[0])
        assert shades.min() >= 0
        assert shades.max() <= 1


@pytest.mark.parametrize(("factor", "offset", "expected"), [(1.5, 0, 255), (1, -2, 0), (-1, 0, 0)])
def test_what_is_too_bright_or_too_dark_is_clipped(
    factor: float, offset: float, expected: int
) -> None:
    white, empty = np.full((1, 8, 8, 3), 255, np.uint8), np.zeros((1, 0, 8, 8), bool)
    still = identity(1)
    change = replace(still, colour=factor * still.colour, offset=still.offset + offset)
    assert (apply(change, white, empty, 8)[0] == expected).all()


def test_draws_repeat() -> None:
    one, two = (draw(AugmentConfig(), 3, np.random.default_rng(9)) for _ in range(2))
    assert all(
        torch.equal(getattr(one, name), getattr(two, name))
        for name in ("theta", "colour", "offset")
    )


def test_blur_and_noise_are_what_they_say() -> None:
    board = (np.indices((64, 64)).sum(0) // 8 % 2 * 200 + 20).astype(np.uint8)
    images, masks = (
        np.repeat(board[None, ..., None], 3, axis=3).repeat(2, 0),
        np.zeros((2, 1, 64, 64), bool),
    )
    still = identity(2)
    sharp = rgb(apply(still, images, masks, 64)[0])
    soft = rgb(apply(replace(still, blur=2 / 64), images, masks, 64)[0])
    assert soft.mean().item() == pytest.approx(sharp.mean().item(), abs=0.01)
    assert soft.std() < 0.9 * sharp.std()
    # A step seen through a Gaussian of two pixels: 16 % of the way one deviation before it.
    row = soft[0, 0, 4]
    assert (row[16 - 2].item() - 20 / 255) / (200 / 255) == pytest.approx(1 - 0.77, abs=0.05)
    grainy, _ = apply(replace(still, noise=0.04, seed=3), images, masks, 64)
    again, _ = apply(replace(still, noise=0.04, seed=3), images, masks, 64)
    assert torch.equal(grainy, again)
    assert (rgb(grainy) - sharp).std().item() == pytest.approx(0.04, rel=0.05)


def test_half_the_clips_stay_sharp_and_ranges_are_kept() -> None:
    rng = np.random.default_rng(0)
    drawn = [draw(AugmentConfig(blur=0.01, noise=0.04), 1, rng) for _ in range(400)]
    for values, most in (([d.blur for d in drawn], 0.01), ([d.noise for d in drawn], 0.04)):
        assert 0.4 < np.mean([v > 0 for v in values]) < 0.6
        assert 0.95 * most < max(values) <= most
    plain = draw(AugmentConfig(), 1, rng)
    assert (plain.blur, plain.noise) == (0.0, 0.0)
