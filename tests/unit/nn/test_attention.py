from __future__ import annotations

import pytest
import torch

from sam2s.nn import attention
from sam2s.nn.attention import Attention
from sam2s.nn.rope import axial_rope, rotate

CPU = torch.device("cpu")


def by_hand(
    layer: Attention, query: torch.Tensor, key: torch.Tensor, value: torch.Tensor
) -> torch.Tensor:
    """One head, no mask, written out."""
    q, k, v = layer.q_proj(query), layer.k_proj(key), layer.v_proj(value)
    weights = (q @ k.transpose(1, 2) / q.shape[-1] ** 0.5).softmax(dim=-1)
    return layer.out_proj(weights @ v)


def test_one_head_by_hand():
    layer = Attention(8, 1, inner_dim=4, kv_dim=6)
    query, key, value = torch.randn(2, 5, 8), torch.randn(2, 7, 6), torch.randn(2, 7, 6)
    assert torch.allclose(layer(query, key, value), by_hand(layer, query, key, value), atol=1e-6)


@pytest.mark.parametrize("masked", [False, True])
def test_narrow_values_are_averaged_before_they_are_projected(
    masked: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the same result and the same gradients, where `attend` makes plain products."""
    layer = Attention(16, 1, kv_dim=4).double()
    given = [torch.randn(2, n, width, dtype=torch.float64) for n, width in ((5, 16), (9, 4))]
    mask = (torch.arange(9) < 6).view(1, 1, 1, 9) if masked else None
    found = []
    for late in (False, True):
        monkeypatch.setattr(attention, "averages_narrow_values", lambda *a, late=late, **k: late)
        layer.zero_grad()
        out = layer(given[0], given[1], given[1], mask=mask)
        out.square().sum().backward()
        found.append([out, *(p.grad for p in layer.parameters())])
    for early, after in zip(*found, strict=True):
        torch.testing.assert_close(early, after, rtol=1e-9, atol=1e-12)


def test_dropped_values_are_projected_first(monkeypatch: pytest.MonkeyPatch) -> None:
    """Weights that are dropped out no longer add up to one."""
    layer, seen = Attention(16, 1, kv_dim=4, dropout=0.5), []

    def attend(q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, **how: object) -> torch.Tensor:
        seen.append(v.shape[-1])
        return v[:, :, : q.shape[2]]

    monkeypatch.setattr(attention, "attend", attend)
    layer(torch.randn(1, 5, 16), torch.randn(1, 9, 4), torch.randn(1, 9, 4))
    layer.eval()(torch.randn(1, 5, 16), torch.randn(1, 9, 4), torch.randn(1, 9, 4))
    assert seen == [16, 4]


def test_heads_are_independent():
    """Zeroing one head's values changes nothing but that head's part."""
    layer = Attention(8, 2)
    layer.out_proj.weight.data.copy_(torch.eye(8))
    x = torch.randn(1, 3, 8)
    before = layer(x, x, x)
    layer.v_proj.weight.data[4:] = 0
    layer.v_proj.bias.data[4:] = 0
    after = layer(x, x, x)
    assert torch.equal(before[..., :4], after[..., :4])
    assert not torch.equal(before[..., 4:], after[..., 4:])


def test_masked_keys_do_not_count():
    layer = Attention(8, 2)
    query, key = torch.randn(1, 4, 8), torch.randn(1, 6, 8)
    mask = torch.tensor([1, 1, 1, 1, 0, 0]).bool().view(1, 1, 1, 6)
    assert torch.allclose(
        layer(query, key, key, mask=mask), layer(query, key[:, :4], key[:, :4]), atol=1e-6
    )


def test_rope_turns_queries_and_the_leading_keys():
    layer, rope = Attention(8, 1), axial_rope(8, 2, 2, CPU)
    layer.v_proj.bias.data.zero_()
    query, key = torch.randn(1, 4, 8), torch.randn(1, 6, 8)
    q = rotate(layer.q_proj(query)[:, None], rope, 4)
    k = rotate(layer.k_proj(key)[:, None], rope, 4)
    weights = (q @ k.transpose(2, 3) / 8**0.5).softmax(dim=-1)[:, 0]
    expected = layer.out_proj(weights @ layer.v_proj(key))
    assert torch.allclose(layer(query, key, key, rope=rope, rope_keys=4), expected, atol=1e-6)


def test_dropout_acts_in_training_only():
    layer = Attention(8, 1, dropout=0.5)
    x = torch.randn(1, 16, 8)
    assert not torch.equal(layer(x, x, x), layer(x, x, x))
    layer.eval()
    assert torch.equal(layer(x, x, x), layer(x, x, x))


def test_heads_must_divide_the_width():
    with pytest.raises(ValueError, match="cannot be split over 3 heads"):
        Attention(8, 3)
