"""Dense supervision: what it asks for, what it leaves out, and where its gradient goes."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from sam2s.clips.batch import ClipBatch
from sam2s.clips.clips import Clip
from sam2s.train.dense import NOTHING, POINTS, DenseHead, dense_loss
from sam2s.train.losses import dice_loss
from sam2s.types import Features

SIZE = 32
CELLS = SIZE // 4


def _batch() -> ClipBatch:
    """Two clips of two frames; clip 0 shows objects 0 and 1 (1 leaves on the second frame), clip 1
    object 2."""
    masks = torch.zeros(2, 3, SIZE, SIZE, dtype=torch.bool)
    masks[:, 0, :16], masks[0, 1, 16:, :12], masks[:, 2, 8:24, 8:] = True, True, True
    clips = tuple(Clip(f"video{i}", (0, 1), (0, 1), ids) for i, ids in enumerate(((1, 2), (1,))))
    return ClipBatch(
        clips,
        torch.zeros(2, 2, 3, SIZE, SIZE),
        masks,
        torch.ones(2, 3, dtype=torch.bool),
        torch.tensor([0, 0, 1]),
        ((0, 1), (0, 1)),
        (None,) * 3,
    )


def _features(plane: Tensor) -> Features:
    return Features(
        stride16=torch.zeros(len(plane), 16, 2, 2),
        stride8=torch.zeros(len(plane), 4, 4, 4),
        stride4=plane,
    )


class _Oracle(nn.Module):
    """Takes the stride-4 plane for the embedding, in which every object has a channel of its
    own."""

    def forward(self, features: Features) -> Tensor:
        return features.stride4

    def key(self, pixels: Tensor) -> Tensor:
        return pixels

    def compare(self, queries: Tensor, keys: Tensor) -> Tensor:
        return 60 * torch.einsum("bqc,btchw->btqhw", queries, keys) - 30


def _true_plane(batch: ClipBatch) -> Tensor:
    """(4, 3, h, w): channel n of frame b x T + t is the mask of row n of clip b."""
    coarse = batch.masks[:, :, ::4, ::4].float()
    frames = [
        coarse[t] * (batch.clip_of_row == b).float()[:, None, None]
        for b in range(2)
        for t in range(2)
    ]
    return torch.stack(frames)


def test_an_encoder_that_tells_all_objects_apart_has_no_loss() -> None:
    batch = _batch()
    right = dense_loss(_Oracle(), _features(_true_plane(batch)), batch, np.random.default_rng(0))  # type: ignore[arg-type]
    wrong = dense_loss(
        _Oracle(), _features(_true_plane(batch).flip(-2)), batch, np.random.default_rng(0)
    )  # type: ignore[arg-type]
    assert float(right) < 1e-3
    assert float(wrong) > 1.0


def test_frames_without_annotation_neither_name_objects_nor_are_judged() -> None:
    batch = _batch()
    unknown = replace(batch, annotated=batch.annotated.clone())
    unknown.annotated[1, 0] = False
    other = replace(unknown, masks=unknown.masks.clone())
    other.masks[1, 0] = other.masks[1, 0].roll(7, -1).logical_not()
    plane = torch.randn(4, 2, CELLS, CELLS, generator=torch.Generator().manual_seed(1))
    head = DenseHead(16, width=8)
    with torch.no_grad():
        seeds = (np.random.default_rng(3) for _ in range(3))
        losses = [
            float(dense_loss(head, _features(plane), b, rng))
            for b, rng in zip((unknown, other, batch), seeds, strict=True)
        ]
    assert losses[0] == losses[1] != losses[2]


def test_gradients_reach_every_level_of_the_features() -> None:
    torch.manual_seed(0)
    levels = [
        torch.randn(shape, requires_grad=True)
        for shape in ((4, 16, 2, 2), (4, 4, 4, 4), (4, 2, CELLS, CELLS))
    ]
    dense_loss(
        DenseHead(16, width=8), Features(*levels), _batch(), np.random.default_rng(0)
    ).backward()
    assert all(level.grad is not None and level.grad.abs().sum() > 0 for level in levels)


@pytest.mark.parametrize("known", [True, False])
def test_clips_that_show_nothing_add_nothing(known: bool) -> None:
    batch = _batch()
    empty = (
        replace(batch, masks=torch.zeros_like(batch.masks))
        if known
        else replace(batch, annotated=torch.zeros_like(batch.annotated))
    )
    plane = torch.randn(4, 2, CELLS, CELLS, requires_grad=True)
    loss = dense_loss(DenseHead(16, width=8), _features(plane), empty, np.random.default_rng(0))
    assert loss.item() == 0.0
    loss.backward()


def test_of_a_double_nothing_is_asked() -> None:
    """An object that is answered twice, in its own place and in its double's, is right by its
    looks."""
    batch = _batch()
    rivals = torch.zeros_like(batch.masks)
    rivals[:, 2, 8:24, :8] = True
    plane = _true_plane(batch)
    plane[2:, 2, 2:6, :2] = 1.0  # clip 1, object 2's channel, where its double lies
    taught = dense_loss(_Oracle(), _features(plane), batch, np.random.default_rng(0))
    spared = dense_loss(
        _Oracle(), _features(plane), replace(batch, rivals=rivals), np.random.default_rng(0)
    )
    assert spared.item() < 0.1 < taught.item()


@settings(deadline=None, max_examples=20)
@given(st.integers(0, 10_000))
def test_the_loss_is_the_loop_over_clips_objects_and_frames(seed: int) -> None:
    batch = _any_batch(seed)
    torch.manual_seed(seed)
    head, plane = DenseHead(16, width=8), torch.randn(6, 2, CELLS, CELLS)
    with torch.no_grad():
        found = dense_loss(head, _features(plane), batch, np.random.default_rng(seed))
        expected = _loop(head, _features(plane), batch, np.random.default_rng(seed))
    torch.testing.assert_close(found, expected)


def _any_batch(seed: int) -> ClipBatch:
    """Three clips of two frames with 3, 1 and 0 objects, on some frames unknown, absent or too
    small for a cell; the second with a double."""
    rng = np.random.default_rng(seed)
    masks = np.zeros((2, 4, SIZE, SIZE), bool)
    for t, row in np.ndindex(2, 4):
        (top, left), side = rng.integers(0, SIZE - 12, 2), int(rng.choice([0, 1, 7, 12]))
        masks[t, row, top : top + side, left : left + side] = True
    rivals = torch.zeros(2, 4, SIZE, SIZE, dtype=torch.bool)
    rivals[:, 3, 8:24, :9] = True
    ids = ((1, 2, 3), (1,), ())
    return ClipBatch(
        tuple(Clip(f"video{i}", (0, 1), (0, 1), some) for i, some in enumerate(ids)),
        torch.zeros(3, 2, 3, SIZE, SIZE, dtype=torch.uint8),
        torch.from_numpy(masks),
        torch.from_numpy(rng.random((2, 4)) < 0.8),
        torch.tensor([0, 0, 0, 1]),
        ((0, 1),) * 3,
        (None,) * 4,
        rivals,
    )


def _loop(
    head: DenseHead, features: Features, batch: ClipBatch, rng: np.random.Generator
) -> Tensor:
    """Every clip, and in it every object as every frame shows it, by itself."""
    pixels = head(features).unflatten(0, (3, 2))
    cells = F.avg_pool2d(batch.masks.float(), 4) >= 0.5
    asked = [
        [
            (t, n)
            for t in range(2)
            for n in range(4)
            if batch.clip_of_row[n] == b and _seen(batch, t, n)
        ]
        for b in range(3)
    ]
    most = max(map(len, asked))
    if most == 0:
        return torch.zeros(())
    chance = rng.random((3, most, 1 + POINTS), dtype=np.float32)
    clips = []
    for b, some in enumerate(asked):
        losses, judged = torch.zeros(()), 0
        for k, (t, n) in enumerate(some):
            places = np.flatnonzero(cells[t, n])
            if len(places) == 0:
                continue
            count = int(chance[b, k, 0] * POINTS) + 1
            chosen = places[(chance[b, k, 1 : 1 + count] * np.float32(len(places))).astype(int)]
            named = pixels[b, t].flatten(1)[:, chosen].mean(1)
            query = head.query(named[None])[0]
            for other in range(2):
                if not batch.annotated[other, n]:
                    continue
                key = head.key(pixels[b, other][None])[0]
                logits = torch.einsum("c,chw->hw", query, key) / 8**0.5 + head.bias(query)
                wanted = cells[other, n]
                double = F.max_pool2d(batch.rivals[other, n][None].float(), 4)[0] > 0
                logits = logits.masked_fill(double & ~wanted, NOTHING)
                target = wanted.float()
                losses = losses + F.binary_cross_entropy_with_logits(logits, target)
                losses = losses + dice_loss(logits[None, None], target[None, None])[0, 0]
                judged += 1
        if judged:
            clips.append(losses / judged)
    return torch.stack(clips).mean() if clips else torch.zeros(())


def _seen(batch: ClipBatch, t: int, n: int) -> bool:
    return bool(batch.annotated[t, n] and batch.masks[t, n].any())
