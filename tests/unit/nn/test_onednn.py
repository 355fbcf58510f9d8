"""Products and attention by oneDNN are those of torch, and only where they are quicker."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from sam2s.nn import onednn
from sam2s.nn.attend import attend
from sam2s.nn.onednn import OneDnnLinear, attends_quicker, product

CALLED = "_linear_pointwise"

pytestmark = pytest.mark.skipif(
    not hasattr(torch.ops.mkldnn, CALLED), reason="this torch was built without oneDNN"
)


@pytest.fixture(autouse=True)
def quicker(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """As on a processor for which it is used."""
    monkeypatch.setattr(onednn, "has_quicker_products", lambda: True)
    with torch.no_grad():
        yield


def random(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


@given(st.integers(0, 70), st.integers(1, 40), st.integers(1, 40), st.booleans(), st.booleans())
@settings(deadline=None, max_examples=40)
def test_a_product_is_torchs(rows: int, inner: int, outer: int, bias: bool, strided: bool) -> None:
    x, weight = random(2, rows, inner), random(outer, inner, seed=1)
    shift = random(outer, seed=2) if bias else None
    if strided:
        x, weight = x.transpose(0, 1), random(inner, outer, seed=1).mT
    wanted = F.linear(x, weight, shift)
    torch.testing.assert_close(product(x, weight, shift), wanted, rtol=1e-4, atol=1e-5)


def test_repeated_rows_are_all_multiplied() -> None:
    one = random(1, 1, 24).expand(3, 50, 24)
    weight = random(8, 24)
    torch.testing.assert_close(product(one, weight), F.linear(one, weight))


@pytest.mark.parametrize("given_type", [torch.bfloat16, torch.float64])
def test_other_precisions_are_torchs_to_the_bit(given_type: torch.dtype) -> None:
    x, weight = random(64, 16).to(given_type), random(8, 16).to(given_type)
    assert torch.equal(product(x, weight), F.linear(x, weight))


@given(st.integers(1, 3), st.integers(1, 3), st.sampled_from([8, 32]), st.booleans())
@settings(deadline=None, max_examples=15)
def test_attention_is_torchs(rows: int, heads: int, width: int, packed: bool) -> None:
    lengths, channels = (260, 300, 300), heads * width
    if packed:  # as the trunk cuts them out of one projection
        whole = random(rows, 300, 3 * channels)
        parts = [p[:, :n] for p, n in zip(whole.chunk(3, dim=-1), lengths, strict=True)]
    else:
        parts = [random(rows, n, channels, seed=n) for n in lengths]
    q, k, v = (part.unflatten(-1, (heads, width)).transpose(1, 2) for part in parts)
    assert attends_quicker(q, k, v)
    wanted = F.scaled_dot_product_attention(q, k, v)
    torch.testing.assert_close(attend(q, k, v), wanted, rtol=1e-4, atol=1e-5)


def test_small_masked_and_learning_attention_are_left_to_torch() -> None:
    q, k, v = (random(1, 1, n, 8, seed=n) for n in (260, 300, 300))
    assert not attends_quicker(q[:, :, :16], k, v)
    assert not attends_quicker(*(x.bfloat16() for x in (q, k, v)))
    mask = (torch.arange(300) < 20).view(1, 1, 1, -1)
    wanted = F.scaled_dot_product_attention(q, k[:, :, :20], v[:, :, :20])
    torch.testing.assert_close(attend(q, k, v, mask=mask), wanted)
    with torch.enable_grad():
        assert not attends_quicker(q, k, v)
        (gradient,) = torch.autograd.grad(attend(q.requires_grad_(), k, v).sum(), [q])
    assert gradient.abs().max() > 0


def test_a_layer_shares_its_parameters() -> None:
    layer = nn.Linear(16, 8)
    other = OneDnnLinear(layer)
    assert other.weight is layer.weight
    assert other.bias is layer.bias
    torch.testing.assert_close(other(random(40, 16)), layer(random(40, 16)))


@pytest.mark.parametrize(("vendor", "found"), [("AuthenticAMD", True), ("GenuineIntel", False)])
def test_the_processors_maker_decides(
    vendor: str, found: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.undo()
    info = tmp_path / "cpuinfo"
    info.write_text(f"processor\t: 0\nvendor_id\t: {vendor}\nmodel\t\t: 1\nvendor_id\t: other\n")
    monkeypatch.setattr(onednn, "CPU_INFO", info)
    assert onednn.has_quicker_products.__wrapped__() is found


def test_elsewhere_than_on_linux_python_says_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.undo()
    monkeypatch.setattr(onednn, "CPU_INFO", tmp_path / "none")
    monkeypatch.setattr(onednn.platform, "processor", lambda: "AMD64 Family 25, AuthenticAMD")
    assert onednn.has_quicker_products.__wrapped__()
