"""SAM 2's losses against values worked out by hand."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from sam2s.train.losses import LossConfig, dice_loss, focal_loss, mask_losses
from sam2s.types import Decoded

PLAIN = LossConfig()


def decoded_of(candidates: torch.Tensor, ious: torch.Tensor, presence: torch.Tensor) -> Decoded:
    """A decoding with these candidates (N, M, h, w); the first one is the chosen one."""
    rows = len(candidates)
    return Decoded(
        mask_logits=candidates[:, 0],
        iou=ious[:, 0],
        object_logits=presence,
        pointer=torch.zeros(rows, 4),
        candidate_logits=candidates,
        candidate_ious=ious,
        chosen=torch.zeros(rows, dtype=torch.long),
    )


def logit(p: float) -> float:
    return math.log(p / (1 - p))


def test_focal_by_hand() -> None:
    logits = torch.tensor([[[[logit(0.8), logit(0.3)]]]])
    target = torch.tensor([[[[1.0, 0.0]]]])
    by_hand = (0.25 * 0.2**2 * -math.log(0.8) + 0.75 * 0.3**2 * -math.log(0.7)) / 2
    assert focal_loss(logits, target).item() == pytest.approx(by_hand, rel=1e-5)


def test_focal_of_a_soft_target_vanishes_where_the_prediction_agrees() -> None:
    logits = torch.tensor([[[[logit(0.6)]]]], requires_grad=True)
    loss = focal_loss(logits, torch.tensor([[[[0.6]]]]))
    loss.sum().backward()
    assert loss.item() == pytest.approx(0.0, abs=1e-9)
    assert logits.grad.abs().max() < 1e-6


def test_dice_by_hand() -> None:
    logits = torch.tensor([[[[logit(0.8), logit(0.3)]]]])
    target = torch.tensor([[[[1.0, 0.0]]]])
    assert dice_loss(logits, target).item() == pytest.approx(
        1 - (2 * 0.8 + 1) / (1.1 + 1 + 1), rel=1e-5
    )


def two_candidates() -> tuple[Decoded, torch.Tensor]:
    """One row of 4 x 4 pixels whose left half is the object; candidate 1 is right, candidate 0
    inverted."""
    target = torch.zeros(1, 4, 4, dtype=torch.bool)
    target[:, :, :2] = True
    right = torch.where(target, 2.0, -2.0)
    candidates = torch.stack([-right, right], dim=1).requires_grad_()
    return decoded_of(candidates, torch.tensor([[0.3, 0.6]]), torch.tensor([1.5])), target


def test_only_the_best_candidate_is_taught_the_mask() -> None:
    decoded, target = two_candidates()
    losses = mask_losses(decoded, target, PLAIN)
    p = 1 / (1 + math.exp(-2.0))
    focal = (0.25 + 0.75) / 2 * (1 - p) ** 2 * -math.log(p)
    dice = 1 - (2 * 8 * p + 1) / (16 * 0.5 + 8 + 1)
    assert losses.focal.item() == pytest.approx(focal, rel=1e-5)
    assert losses.dice.item() == pytest.approx(dice, rel=1e-5)
    (losses.focal + losses.dice).backward()
    grad = decoded.candidate_logits.grad
    assert grad[0, 0].abs().max() == 0
    assert grad[0, 1].abs().min() > 0


def test_iou_and_presence_by_hand() -> None:
    decoded, target = two_candidates()
    every = mask_losses(decoded, target, PLAIN)
    best = mask_losses(decoded, target, LossConfig(all_ious=False))
    assert every.iou.item() == pytest.approx((0.3 + 0.4) / 2)
    assert best.iou.item() == pytest.approx(0.4)
    assert every.presence.item() == pytest.approx(math.log1p(math.exp(-1.5)), rel=1e-5)


def test_total_is_the_weighted_sum() -> None:
    decoded, target = two_candidates()
    config = LossConfig(focal=2.0, dice=3.0, iou=5.0, presence=7.0)
    losses = mask_losses(decoded, target, config)
    expected = 2 * losses.focal + 3 * losses.dice + 5 * losses.iou + 7 * losses.presence
    assert losses.total.item() == pytest.approx(expected.item(), rel=1e-6)
    doubled = losses + losses
    assert doubled.total.item() == pytest.approx(2 * losses.total.item())
    assert list(doubled.terms()) == ["total", "focal", "dice", "iou", "presence", "tsl", "dense"]


def test_an_absent_object_teaches_presence_alone() -> None:
    candidates = torch.randn(1, 3, 4, 4).requires_grad_()
    presence = torch.tensor([0.7]).requires_grad_()
    losses = mask_losses(
        decoded_of(candidates, torch.rand(1, 3), presence), torch.zeros(1, 4, 4).bool(), PLAIN
    )
    assert (losses.focal.item(), losses.dice.item(), losses.iou.item()) == (0.0, 0.0, 0.0)
    assert losses.presence.item() == pytest.approx(math.log1p(math.exp(0.7)), rel=1e-5)
    losses.total.backward()
    assert candidates.grad.abs().max() == 0
    assert presence.grad.item() > 0


def test_a_row_gated_as_absent_stays_finite() -> None:
    decoded = decoded_of(torch.full((1, 3, 4, 4), -1024.0), torch.rand(1, 3), torch.tensor([-3.0]))
    losses = mask_losses(decoded, torch.ones(1, 4, 4).bool(), PLAIN)
    assert losses.total.item() < 1000
    assert losses.presence.item() > 3


def test_rows_without_annotation_add_nothing() -> None:
    candidates, ious, presence = torch.randn(2, 3, 4, 4), torch.rand(2, 3), torch.randn(2)
    target = torch.rand(2, 4, 4) > 0.5
    both = mask_losses(
        decoded_of(candidates, ious, presence), target, PLAIN, annotated=torch.tensor([True, False])
    )
    alone = mask_losses(decoded_of(candidates[:1], ious[:1], presence[:1]), target[:1], PLAIN)
    assert both.total.item() == pytest.approx(alone.total.item() / 2, rel=1e-5)


def test_softening_touches_the_focal_target_only() -> None:
    decoded, target = two_candidates()
    hard = mask_losses(decoded, target, PLAIN)
    soft = mask_losses(decoded, target, PLAIN, soften=lambda mask: 0.5 * mask)
    assert soft.focal.item() != pytest.approx(hard.focal.item())
    assert (soft.dice.item(), soft.iou.item()) == (hard.dice.item(), hard.iou.item())


@pytest.mark.parametrize("stride", [1, 2, 4])
def test_a_perfect_mask_costs_nothing_at_any_stride(stride: int) -> None:
    target = torch.zeros(1, 16, 16, dtype=torch.bool)
    target[:, 4:12, 8:16] = True
    logits = torch.where(target[:, ::4, ::4], 60.0, -60.0)[:, None]
    # Upsampled four times, logits cross zero between cells; a nearest copy has no such blur.
    candidates = (
        logits
        if stride == 4
        else logits.repeat_interleave(16 // (4 * stride), 2).repeat_interleave(
            16 // (4 * stride), 3
        )
    )
    decoded = decoded_of(candidates, torch.ones(1, 1), torch.tensor([20.0]))
    losses = mask_losses(decoded, target, LossConfig(stride=stride))
    assert losses.total.item() < 1e-4


@settings(deadline=None, max_examples=25)
@given(st.integers(0, 10_000), st.sampled_from([1, 3]), st.sampled_from([1, 2, 4]))
def test_losses_are_finite_and_not_negative(seed: int, candidates: int, stride: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    logits = 20 * torch.randn(2, candidates, 4, 4, generator=generator)
    target = torch.rand(2, 16, 16, generator=generator) > torch.rand(1, generator=generator)
    decoded = decoded_of(
        logits, torch.rand(2, candidates, generator=generator), torch.randn(2, generator=generator)
    )
    for value in mask_losses(decoded, target, LossConfig(stride=stride)).terms().values():
        assert torch.isfinite(value)
        assert value >= 0


def test_a_doubles_pixels_weigh_more() -> None:
    torch.manual_seed(0)
    target = torch.zeros(1, 16, 16, dtype=torch.bool)
    target[:, 2:6, 2:6] = True
    rivals = torch.zeros_like(target)
    rivals[:, 10:14, 10:14] = True
    logits = torch.full((1, 1, 16, 16), -4.0)
    logits[:, :, 2:6, 2:6] = 4.0
    logits[:, :, 10:14, 10:14] = 4.0  # both, by their looks
    decoded = decoded_of(logits, torch.ones(1, 1), torch.ones(1))
    config = LossConfig(stride=1)
    plain = mask_losses(decoded, target, config)
    ignored = mask_losses(decoded, target, config, rivals=rivals)
    heavy = mask_losses(decoded, target, replace(config, rival=3.0), rivals=rivals)
    assert torch.equal(plain.focal, ignored.focal)
    there = focal_loss(logits, target[:, None].float(), weights=rivals[:, None].float()).item()
    torch.testing.assert_close(heavy.focal, plain.focal + 3.0 * there)
    torch.testing.assert_close(heavy.dice, plain.dice)
