"""Conversions between source pixels, model pixels and grid cells."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from sam2s.geometry import (
    IMAGE_MEAN,
    IMAGE_STD,
    image_to_model,
    logits_to_source,
    mask_to_model,
    points_to_model,
    resize_on_device,
    resize_to_model,
    resizes_on,
)


def picture(height: int, width: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


def test_image_is_resized_with_antialias_and_normalised():
    image = picture(90, 60)
    given = image_to_model(image, 32)
    plane = torch.from_numpy(image).permute(2, 0, 1)[None].float()
    exact = (
        F.interpolate(plane, (32, 32), mode="bilinear", antialias=True, align_corners=False) / 255
    )
    expected = (exact - torch.tensor(IMAGE_MEAN).view(3, 1, 1)) / torch.tensor(IMAGE_STD).view(
        3, 1, 1
    )
    assert given.shape == (1, 3, 32, 32)
    # One grey value of rounding, in units of the standard deviation.
    assert float((given - expected).abs().max()) <= 1.01 / 255 / min(IMAGE_STD)


@pytest.mark.parametrize("make", [lambda a: a[:, ::-1], lambda a: a[::2, ::2], np.asfortranarray])
def test_views_and_read_only_arrays_are_accepted(make):
    image = make(picture(64, 64))
    image.flags.writeable = False
    assert torch.equal(image_to_model(image, 32), image_to_model(np.array(image, order="C"), 32))
    mask = image[..., 0] > 128
    mask.flags.writeable = False
    assert torch.equal(mask_to_model(mask, 32), mask_to_model(mask.copy(), 32))


@settings(deadline=None, max_examples=60)
@given(
    height=st.integers(1, 2000),
    width=st.integers(1, 2000),
    size=st.sampled_from([64, 256, 1024]),
    x=st.floats(0, 1),
    y=st.floats(0, 1),
)
def test_points_scale_each_axis_on_its_own(height, width, size, x, y):
    inside = points_to_model(np.array([[x * width, y * height]]), (height, width), size)[0]
    assert inside == pytest.approx([x * size, y * size], abs=1e-2)


@settings(deadline=None, max_examples=20)
@given(top=st.integers(0, 30), left=st.integers(0, 50), seed=st.integers(0, 99))
def test_a_mask_comes_back_where_it_was(top, left, seed):
    height, width = 40 + seed % 40, 60 + seed % 30
    mask = np.zeros((height, width), bool)
    mask[top : top + 10, left : left + 10] = True
    model = mask_to_model(mask, 256)
    back = logits_to_source((model[None] * 20 - 10), (height, width))[0].numpy() > 0
    assert (back ^ mask).sum() <= 0.25 * mask.sum()


def test_same_size_is_left_alone():
    mask = np.random.default_rng(0).random((64, 64)) < 0.5
    assert torch.equal(mask_to_model(mask, 64), torch.from_numpy(mask).float())


def test_pictures_and_masks_are_resized_before_they_reach_the_device(
    monkeypatch: pytest.MonkeyPatch,
):
    """CUDA has no antialiased resize of uint8 ("not implemented for 'Byte'")."""
    resized = []

    def interpolate(pixels: torch.Tensor, *args, **options) -> torch.Tensor:
        resized.append((pixels.device.type, pixels.dtype))
        return F.interpolate(pixels, *args, **options)

    monkeypatch.setattr("sam2s.geometry.F", SimpleNamespace(interpolate=interpolate))
    given = image_to_model(picture(90, 60), 32, "meta")
    assert resized == [("cpu", torch.uint8)]
    assert (given.device.type, given.shape) == ("meta", (1, 3, 32, 32))
    given = mask_to_model(picture(90, 60)[..., 0] > 128, 32, "meta")
    assert resized[1:] == [("cpu", torch.float32)]
    assert (given.device.type, given.shape) == ("meta", (32, 32))


@given(st.integers(1, 90), st.integers(1, 90), st.sampled_from([16, 32, 48]), st.integers(0, 99))
@settings(deadline=None, max_examples=150)
def test_resizing_on_a_device_gives_the_very_grey_values(
    height: int, width: int, size: int, seed: int
):
    assume(resizes_on(torch.device("cuda"), (height, width), size))
    pictures = np.random.default_rng(seed).integers(0, 256, (2, height, width, 3), dtype=np.uint8)
    found = resize_on_device(torch.from_numpy(pictures), size)
    for picture, planes in zip(pictures, found, strict=True):
        assert torch.equal(planes, resize_to_model(picture, size)[0].float())


@pytest.mark.parametrize("source", [(480, 640), (576, 720), (720, 1280), (1080, 1920), (512, 300)])
def test_resizing_real_sizes_on_a_device_too(source: tuple[int, int]):
    picture = np.random.default_rng(0).integers(0, 256, (*source, 3), dtype=np.uint8)
    picture[: source[0] // 2] //= 255 // 2  # saturated and dark parts
    found = resize_on_device(torch.from_numpy(picture)[None], 512)
    assert torch.equal(found, resize_to_model(picture, 512).float())
    assert resizes_on(torch.device("cuda"), source, 512)
    assert not resizes_on(torch.device("cpu"), source, 512)


def test_what_float32_cannot_add_exactly_is_resized_on_the_host():
    assert not resizes_on(torch.device("cuda"), (2160, 3840), 512)
