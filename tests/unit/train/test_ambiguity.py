"""ARL's soft label and loss against a written-out reference."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from sam2s.errors import InputError
from sam2s.train.ambiguity import SoftLabel, gaussian_kernel
from sam2s.train.losses import focal_loss


def reference(hard: torch.Tensor, size: int, sigma: float) -> torch.Tensor:
    """The weighted mean of the mask over the kernel's pixels that lie in the picture, pixel by
    pixel."""
    height, width = hard.shape
    soft = torch.zeros_like(hard)
    for y in range(height):
        for x in range(width):
            total = weight = 0.0
            for dy in range(-(size // 2), size // 2 + 1):
                for dx in range(-(size // 2), size // 2 + 1):
                    if 0 <= y + dy < height and 0 <= x + dx < width:
                        w = math.exp(-(dy * dy + dx * dx) / (2 * sigma * sigma))
                        weight += w
                        total += w * float(hard[y + dy, x + dx])
            soft[y, x] = total / weight
    return soft


def reference_loss(
    logits: torch.Tensor, soft: torch.Tensor, alpha: float = 0.25, gamma: float = 2.0
) -> float:
    total = 0.0
    for logit, y in zip(logits.flatten().tolist(), soft.flatten().tolist(), strict=True):
        p = 1 / (1 + math.exp(-logit))
        entropy = -(y * math.log(p) + (1 - y) * math.log(1 - p))
        total += (alpha * y + (1 - alpha) * (1 - y)) * abs(y - p) ** gamma * entropy
    return total / logits.numel()


@settings(deadline=None, max_examples=30)
@given(
    seed=st.integers(0, 10_000),
    height=st.integers(1, 9),
    width=st.integers(1, 9),
    size=st.sampled_from([1, 3, 5, 7]),
    sigma=st.sampled_from([0.4, 1.0, 2.5]),
)
def test_soft_label_equals_the_reference(seed, height, width, size, sigma):
    generator = torch.Generator().manual_seed(seed)
    hard = (torch.rand(2, height, width, generator=generator) < 0.4).float()
    soft = SoftLabel(size, sigma)(hard)
    for ours, mask in zip(soft, hard, strict=True):
        torch.testing.assert_close(ours, reference(mask, size, sigma), rtol=1e-4, atol=1e-5)
    assert soft.min() >= 0
    assert soft.max() <= 1


def test_loss_equals_the_reference():
    generator = torch.Generator().manual_seed(1)
    hard = torch.zeros(1, 8, 8)
    hard[0, 2:6, :4] = 1
    logits = 3 * torch.randn(1, 1, 8, 8, generator=generator)
    soft = SoftLabel()(hard)
    ours = focal_loss(logits, soft[:, None])
    assert float(ours) == pytest.approx(
        reference_loss(logits[0, 0], reference(hard[0], 5, 1.0)), rel=1e-4
    )


def test_sigma_to_zero_is_sam2s_focal_loss():
    generator = torch.Generator().manual_seed(2)
    hard = (torch.rand(1, 12, 12, generator=generator) < 0.5).float()
    logits = torch.randn(1, 1, 12, 12, generator=generator)
    plain = focal_loss(logits, hard[:, None])
    assert torch.equal(focal_loss(logits, SoftLabel(sigma=0)(hard)[:, None]), plain)
    torch.testing.assert_close(focal_loss(logits, SoftLabel(sigma=1e-2)(hard)[:, None]), plain)


def test_certain_inside_and_at_the_picture_border():
    hard = torch.zeros(1, 16, 16)
    hard[0, :, 6:] = 1
    soft = SoftLabel()(hard)[0]
    assert torch.equal(soft[:, 8:], torch.ones(16, 8))
    assert torch.equal(soft[:, :4], torch.zeros(16, 4))
    assert 0.5 < soft[0, 6] < 1
    assert torch.allclose(soft, soft[:1].expand(16, 16), atol=1e-6)


def test_kernel_is_normalised_and_bad_constants_are_refused():
    assert float(gaussian_kernel(5, 1.0).sum()) == pytest.approx(1)
    for size, sigma in ((4, 1.0), (0, 1.0), (5, -1.0)):
        with pytest.raises(InputError, match="expected an odd size"):
            SoftLabel(size, sigma)
