"""Both forms of attention are one function."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from sam2s.nn.attend import attend


def _inputs(requires_grad: bool) -> list[torch.Tensor]:
    torch.manual_seed(0)
    shapes = ((2, 3, 5, 8), (2, 3, 7, 8), (2, 3, 7, 8))
    return [torch.randn(shape, requires_grad=requires_grad) for shape in shapes]


@pytest.mark.parametrize("masked", [False, True])
def test_equals_torch_with_and_without_gradients(masked: bool) -> None:
    mask = (torch.rand(2, 1, 1, 7) > 0.4) | (torch.arange(7) == 0) if masked else None
    wanted_in, given_in = _inputs(True), _inputs(True)
    wanted = F.scaled_dot_product_attention(*wanted_in, attn_mask=mask)
    given = attend(*given_in, mask=mask)
    torch.testing.assert_close(given, wanted)
    upstream = torch.randn_like(wanted)
    for want, got in zip(
        torch.autograd.grad(wanted, wanted_in, upstream),
        torch.autograd.grad(given, given_in, upstream),
        strict=True,
    ):
        torch.testing.assert_close(got, want)
    torch.testing.assert_close(attend(*_inputs(False), mask=mask), wanted.detach())


def test_dropout_acts_on_the_weights() -> None:
    q, k, v = _inputs(True)
    ones = torch.ones_like(v)
    dropped = attend(q, k, ones, dropout=0.5)
    assert not torch.allclose(dropped, torch.ones_like(dropped))
    assert torch.allclose(attend(q, k, ones), torch.ones_like(dropped), atol=1e-6)


def test_autocast_keeps_the_dtype_of_the_values() -> None:
    q, k, v = _inputs(True)
    with torch.autocast("cpu", torch.bfloat16):
        assert attend(q.bfloat16(), k.bfloat16(), v.bfloat16()).dtype == torch.bfloat16
