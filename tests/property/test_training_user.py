"""The simulated user in batches against the annotator's rules, one row at a time."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from sam2s.tracking.annotator import box_around
from sam2s.train.user import (
    BOX_JITTER,
    BOX_JITTER_LIMIT,
    Draw,
    boxes,
    centres,
    clicks,
    depths,
    draws,
    nth_pixel,
)

SIDE = 32
seeds = st.integers(0, 2**31)
SLOW = settings(deadline=None, max_examples=40)


def blobs(rng: np.random.Generator, count: int = 5) -> torch.Tensor:
    """(N, S, S) bool: smooth shapes at the border and inside, one empty, one everything."""
    smooth = ndimage.gaussian_filter(rng.normal(size=(count, SIDE, SIDE)), (0, 3, 3))
    share = rng.uniform(0.3, 0.95)
    masks = smooth > np.quantile(smooth, share, axis=(1, 2), keepdims=True)
    return torch.from_numpy(
        np.concatenate([masks, np.zeros_like(masks[:1]), ~np.zeros_like(masks[:1])])
    )


def one(
    rng: np.random.Generator, rows: int, *, careless: float = 0.0, centred: float = 0.0
) -> Draw:
    return draws(rng, (1, rows), (careless, centred), torch.device("cpu"))[0]


def errors(truth: np.ndarray, seen: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return truth & ~seen, seen & ~truth


@SLOW
@given(seeds, st.floats(0, 1))
def test_uncentred_clicks_lie_in_the_error_and_say_what_is_true(seed: int, careless: float) -> None:
    rng = np.random.default_rng(seed)
    truth, guess = blobs(rng), blobs(rng)
    guess[1] = truth[1]
    draw = one(rng, len(truth), careless=careless)
    made = clicks(truth, guess, draw)
    assert made.coords.shape == (len(truth), 1, 2)
    for k, ((x, y), label) in enumerate(
        zip(made.coords[:, 0].long(), made.labels[:, 0], strict=True)
    ):
        assert bool(label) == bool(truth[k, y, x])
        seen = torch.zeros_like(guess[k]) if draw.careless[k] else guess[k]
        wrong = truth[k] ^ seen
        if wrong.any():
            assert wrong[y, x]
        else:
            assert not truth[k, y, x] or truth[k].all()


@SLOW
@given(seeds)
def test_a_careless_click_without_a_guess_lies_on_the_object(seed: int) -> None:
    rng = np.random.default_rng(seed)
    truth = blobs(rng)
    shown = truth.flatten(1).any(1)
    for predicted, careless in ((None, 0.0), (blobs(rng), 1.0)):
        made = clicks(truth, predicted, one(rng, len(truth), careless=careless))
        assert torch.equal(made.labels[:, 0].bool(), shown)


@SLOW
@given(seeds)
def test_a_centred_click_lies_at_a_deepest_point_of_the_deeper_error(seed: int) -> None:
    rng = np.random.default_rng(seed)
    truth, guess = blobs(rng), blobs(rng)
    guess[2] = truth[2]
    made = clicks(truth, guess, one(rng, len(truth), centred=1.0))
    for k, ((x, y), label) in enumerate(
        zip(made.coords[:, 0].long(), made.labels[:, 0], strict=True)
    ):
        missed, false = errors(truth[k].numpy(), guess[k].numpy())
        if not (missed | false).any():
            missed = truth[k].numpy() if truth[k].any() else ~truth[k].numpy()
        depth = {kind: reference_depths(region) for kind, region in ((1, missed), (0, false))}
        best = max(float(d.max()) for d in depth.values())
        here = max(float(d[y, x]) for d in depth.values())
        # A cell of two pixels is as deep as either of them, and the error of either side of it.
        assert here > 0
        assert here >= best - 4
        assert bool(label) == bool(truth[k, y, x])


def reference_depths(region: np.ndarray) -> np.ndarray:
    """(H, W): Euclidean distance to the outside, the picture's border included."""
    return ndimage.distance_transform_edt(np.pad(region, 1))[1:-1, 1:-1]


@SLOW
@given(seeds)
def test_distances_are_exact(seed: int) -> None:
    masks = blobs(np.random.default_rng(seed))[:, :, : SIDE - 6]
    found = depths(masks)
    for region, squared in zip(masks.numpy(), found.numpy(), strict=True):
        np.testing.assert_allclose(squared, reference_depths(region) ** 2, atol=1e-3)


@SLOW
@given(seeds)
def test_a_device_finds_the_centres_that_the_cpu_finds(seed: int) -> None:
    """The two ways of `centres`, both on the CPU."""
    rng = np.random.default_rng(seed)
    missed, false = blobs(rng), blobs(rng)
    regions = torch.cat([missed, false])
    squared = depths(filled(regions)).flatten(1) + 0.5 * touched(regions).flatten(1)
    deeper = squared[: len(missed)].amax(1) > squared[len(missed) :].amax(1)
    cells = torch.where(deeper, squared[: len(missed)].argmax(1), squared[len(missed) :].argmax(1))
    place = centres(missed, false)
    y, x = place // SIDE, place % SIDE
    assert torch.equal((y // 2) * (SIDE // 2) + x // 2, cells)
    region = torch.where(deeper[:, None, None], missed, false)
    some = region.flatten(1).any(1)
    assert region.flatten(1).gather(1, place[:, None])[some].all()


def touched(masks: torch.Tensor) -> torch.Tensor:
    return torch.nn.functional.max_pool2d(masks.float(), 2) > 0


def filled(masks: torch.Tensor) -> torch.Tensor:
    return ~touched(~masks)


@SLOW
@given(seeds)
def test_the_nth_pixel_is_the_nth_in_reading_order(seed: int) -> None:
    rng = np.random.default_rng(seed)
    masks = blobs(rng)[:, :, : SIDE - 5]
    masks = masks[masks.flatten(1).any(1)]
    counts = masks.flatten(1).sum(1)
    ranks = torch.from_numpy(rng.random((len(masks), 4))).mul(counts[:, None]).long()
    found = nth_pixel(masks, ranks)
    for region, some, places in zip(masks.numpy(), ranks, found, strict=True):
        assert np.flatnonzero(region)[some.numpy()].tolist() == places.tolist()


@SLOW
@given(seeds)
def test_boxes_move_each_edge_by_a_tenth_of_their_side_at_most(seed: int) -> None:
    rng = np.random.default_rng(seed)
    masks = blobs(rng)
    masks[-2, 5, 7] = True
    draw = one(rng, len(masks))
    made = boxes(masks, draw)
    assert (made.labels == torch.tensor([2, 3])).all()
    for mask, corners in zip(masks.numpy(), made.coords.numpy(), strict=True):
        tight = np.array(box_around(mask).xyxy).reshape(2, 2)
        reach = np.minimum(BOX_JITTER * (tight[1] - tight[0]), BOX_JITTER_LIMIT)
        assert (np.abs(corners - tight) <= reach + 1.001).all()
        assert (corners[0] >= 0).all()
        assert (corners[1] - corners[0] >= 1).all()
    still = Draw(torch.full_like(draw.numbers, 0.5), draw.careless, draw.centred)
    expected = np.stack([box_around(mask).xyxy.reshape(2, 2) for mask in masks.numpy()])
    np.testing.assert_allclose(boxes(masks, still).coords.numpy(), expected)


def test_draws_are_those_of_their_generator_and_of_their_shares() -> None:
    made = [
        draws(np.random.default_rng(4), (6, 500), (0.1, 0.4), torch.device("cpu")) for _ in range(2)
    ]
    for one_draw, other in zip(*made, strict=True):
        assert torch.equal(one_draw.numbers, other.numbers)
        assert torch.equal(one_draw.centred, other.centred)
    careless = torch.stack([draw.careless for draw in made[0]]).float().mean()
    centred = sum(len(draw.centred) for draw in made[0]) / 3000
    assert careless.item() == pytest.approx(0.1, abs=0.02)
    assert centred == pytest.approx(0.4, abs=0.03)
    assert draws(np.random.default_rng(4), (0, 3), (0.1, 0.4), torch.device("cpu")) == []


def test_every_pixel_of_the_error_is_clicked_alike_often() -> None:
    truth = torch.zeros(1, SIDE, SIDE, dtype=torch.bool)
    truth[0, 3, 4:8] = True
    truth[0, 20, 20] = True
    rng = np.random.default_rng(0)
    columns = [int(clicks(truth, None, one(rng, 1)).coords[0, 0, 0]) for _ in range(500)]
    counts = np.unique(columns, return_counts=True)
    assert counts[0].tolist() == [4, 5, 6, 7, 20]
    assert counts[1].min() > 70
