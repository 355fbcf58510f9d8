from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from sam2s.nn.rope import axial_rope, rotate

CPU = torch.device("cpu")


def complex_rotation(tokens: torch.Tensor, height: int, width: int) -> torch.Tensor:
    """RoPE as it is usually written, with complex numbers."""
    dim = tokens.shape[-1]
    frequency = 10000.0 ** (-torch.arange(0, dim, 4) / dim)
    cells = torch.arange(height * width)
    angles = torch.cat(
        [torch.outer(cells % width, frequency), torch.outer(cells // width, frequency)], dim=1
    )
    pairs = torch.view_as_complex(tokens.unflatten(-1, (-1, 2)).contiguous())
    return torch.view_as_real(pairs * torch.polar(torch.ones_like(angles), angles)).flatten(-2)


@given(st.integers(1, 5), st.integers(1, 5), st.sampled_from([4, 8, 32]))
@settings(deadline=None, max_examples=25)
def test_equals_the_complex_form(height: int, width: int, dim: int):
    tokens = torch.randn(2, 3, height * width, dim)
    turned = rotate(tokens, axial_rope(dim, height, width, CPU), height * width)
    assert torch.allclose(turned, complex_rotation(tokens, height, width), atol=1e-5)


def test_products_depend_on_the_distance_only():
    rope = axial_rope(16, 6, 6, CPU)
    query, key = torch.randn(2, 16).unbind()
    q = rotate(query.expand(1, 1, 36, 16), rope, 36)[0, 0].view(6, 6, 16)
    k = rotate(key.expand(1, 1, 36, 16), rope, 36)[0, 0].view(6, 6, 16)
    assert torch.allclose(q[1, 2] @ k[2, 4], q[3, 1] @ k[4, 3], atol=1e-5)
    assert not torch.allclose(q[1, 2] @ k[2, 4], q[1, 2] @ k[2, 3], atol=1e-3)


def test_several_grids_turn_alike_and_the_rest_passes():
    rope = axial_rope(8, 2, 3, CPU)
    tokens = torch.randn(1, 2, 6, 8)
    keys = torch.cat([tokens, tokens, torch.randn(1, 2, 4, 8)], dim=2)
    turned = rotate(keys, rope, 12)
    assert torch.equal(turned[:, :, :6], turned[:, :, 6:12])
    assert torch.equal(turned[:, :, :6], rotate(tokens, rope, 6))
    assert torch.equal(turned[:, :, 12:], keys[:, :, 12:])


def test_keeps_the_precision_of_its_input():
    tokens = torch.randn(1, 1, 4, 8, dtype=torch.bfloat16)
    assert rotate(tokens, axial_rope(8, 2, 2, CPU), 4).dtype == torch.bfloat16


@pytest.mark.parametrize("kind", [torch.float32, torch.bfloat16])
def test_with_and_without_gradients_are_equal_to_the_bit(kind):
    tokens = torch.randn(2, 3, 24, 8, generator=torch.Generator().manual_seed(2)).to(kind)
    rope = axial_rope(8, 2, 3, CPU)
    learnt = rotate(tokens.requires_grad_(), rope, 18)
    with torch.inference_mode():
        assert torch.equal(rotate(tokens, rope, 18), learnt)


def test_the_real_form_is_equal(monkeypatch: pytest.MonkeyPatch):
    tokens = torch.randn(2, 3, 24, 8, generator=torch.Generator().manual_seed(2))
    rope = axial_rope(8, 2, 3, CPU)
    product = rotate(tokens, rope, 18)
    monkeypatch.setattr(torch.compiler, "is_compiling", lambda: True)
    assert torch.allclose(rotate(tokens, rope, 18), product, atol=1e-6)


def test_gradients_turn_back():
    tokens = torch.randn(1, 1, 6, 8, requires_grad=True)
    rope = axial_rope(8, 2, 3, CPU)
    turned = rotate(tokens, rope, 6)
    (gradient,) = torch.autograd.grad(turned, tokens, turned.detach())
    assert torch.allclose(gradient, tokens, atol=1e-5)  # a rotation's transpose undoes it
