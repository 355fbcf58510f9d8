"""Doubles: where they lie, what they hide, and that everything else stays as it was."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from sam2s.clips.augment import AugmentConfig
from sam2s.clips.batch import ClipSample, RawClip, collate, finish_clip
from sam2s.clips.clips import Clip
from sam2s.clips.doubles import DoubleConfig, add_double
from sam2s.masklets.catalogue import ObjectInfo

SIZE = (64, 80)
TIMES = (0, 3, 6, 9)
PLAIN = DoubleConfig(share=1.0, leaving=0.0, ahead=0.0, motion=0.0, gain=(1.0, 1.0), tint=0.0)


def clip(radius: float = 9.0) -> tuple[np.ndarray, np.ndarray]:
    """A bright disc that goes to the right on grey: images (T, H, W, 3), masks (T, 1, H, W)."""
    y, x = np.mgrid[: SIZE[0], : SIZE[1]]
    masks = np.stack([(y - 30) ** 2 + (x - 24 - 4 * t) ** 2 < radius**2 for t in range(4)])
    images = np.where(masks[..., None], (200, 60, 60), (90, 90, 90)).astype(np.uint8)
    return images, masks[:, None]


def still_augment(double: DoubleConfig) -> AugmentConfig:
    """Nothing but doubles."""
    return AugmentConfig(
        hflip=0.0, affine=0.0, brightness=0.0, contrast=0.0, saturation=0.0, frame_brightness=0.0,
        frame_contrast=0.0, frame_saturation=0.0, gray=0.0, double=double,
    )  # fmt: skip


def finished(double: DoubleConfig, seed: int = 0) -> ClipSample:
    images, masks = clip()
    made = Clip("v", (0, 1, 2, 3), TIMES, (5,))
    known = torch.ones(4, 1, dtype=torch.bool)
    infos = [ObjectInfo("grasper", "instrument")]
    rng = np.random.default_rng(seed)
    return finish_clip(RawClip(made, images, masks, known, infos), 64, still_augment(double), rng)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10_000))
def test_the_double_looks_like_its_object_and_never_shares_a_pixel(seed: int) -> None:
    images, masks = clip()
    made = add_double(images, masks, TIMES, PLAIN, np.random.default_rng(seed))
    assert made is not None
    pictures, planes, number = made
    assert (number, planes.shape) == (0, (4, 2, *SIZE))
    np.testing.assert_array_equal(planes[:, 0], masks[:, 0])  # it passes behind its object
    assert not (planes[:, 0] & planes[:, 1]).any()
    assert planes[0, 1].any()
    outside = ~(planes.any(axis=1))
    assert np.abs(pictures[outside].astype(int) - images[outside]).mean() < 2
    inner = np.stack(
        [plane & np.roll(plane, 3, 0) & np.roll(plane, -3, 0) for plane in planes[:, 1]]
    )
    inner &= np.roll(inner, 3, 2) & np.roll(inner, -3, 2)
    if inner.any():
        assert np.abs(pictures[inner].astype(int) - (200, 60, 60)).mean() < 12


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10_000))
def test_ahead_of_its_object_it_hides_that(seed: int) -> None:
    images, masks = clip()
    made = add_double(images, masks, TIMES, replace(PLAIN, ahead=1.0), np.random.default_rng(seed))
    assert made is not None
    assert not (made[1][:, 0] & made[1][:, 1]).any()
    assert (made[1][:, 0] <= masks[:, 0]).all()


def test_it_can_leave_while_the_object_stays() -> None:
    images, masks = clip()
    gone = 0
    for seed in range(20):
        rng = np.random.default_rng(seed)
        made = add_double(images, masks, TIMES, replace(PLAIN, leaving=1.0), rng)
        assert made is not None
        assert made[1][0, 1].any()
        gone += not made[1][:, 1].any(axis=(1, 2)).all()
        assert made[1][:, 0].any(axis=(1, 2)).all()
    assert gone >= 15


def test_too_small_or_too_large_things_get_none() -> None:
    for radius in (1.0, 70.0):
        images, masks = clip(radius)
        assert add_double(images, masks, TIMES, PLAIN, np.random.default_rng(0)) is None


def test_it_moves_with_a_hidden_object() -> None:
    """Where the object is hidden the double is copied from the last frame that showed it."""
    images, masks = clip()
    masks[2] = False
    made = add_double(images, masks, TIMES, PLAIN, np.random.default_rng(1))
    assert made is not None
    assert made[1][2, 1].any()


def test_both_are_tracked_and_each_is_the_others_rival() -> None:
    sample = finished(PLAIN)
    assert sample.clip.objects == (5, 6)
    assert sample.classes == ("grasper", "grasper")
    assert sample.rivals is not None
    assert torch.equal(sample.rivals[:, 0], sample.masks[:, 1])
    assert torch.equal(sample.rivals[:, 1], sample.masks[:, 0])
    alone = finished(replace(PLAIN, share=0.0))
    assert alone.rivals is None
    assert alone.clip.objects == (5,)
    batch = collate([alone, sample])
    assert batch.rivals is not None
    assert batch.rivals.shape == batch.masks.shape
    assert not batch.rivals[:, 0].any()
    assert torch.equal(batch.rivals[:, 1:], sample.rivals)
    assert collate([alone]).rivals is None


def test_clips_without_doubles_draw_as_before() -> None:
    images, masks = clip()
    made = Clip("v", (0, 1, 2, 3), TIMES, (5,))
    known, infos = torch.ones(4, 1, dtype=torch.bool), [ObjectInfo()]
    drawn = []
    for double in (DoubleConfig(), DoubleConfig(motion=0.3)):
        augment = AugmentConfig(noise=0.1, double=double)
        rng = np.random.default_rng(4)
        raw = RawClip(made, images, masks, known, infos)
        drawn.append(finish_clip(raw, 64, augment, rng).images)
    assert torch.equal(*drawn)
