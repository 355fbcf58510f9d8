from __future__ import annotations

import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from sam2s.nn.blocks import (
    MLP,
    ConvNeXtBlock,
    DropPath,
    LayerNorm2d,
    from_windows,
    init_weights,
    to_windows,
)


def test_layer_norm_2d_is_over_channels():
    norm = LayerNorm2d(5)
    norm.weight.data.uniform_(0.5, 1.5)
    norm.bias.data.normal_()
    x = torch.randn(2, 5, 3, 4)
    mean, variance = x.mean(1, keepdim=True), x.var(1, unbiased=False, keepdim=True)
    expected = (x - mean) / (variance + 1e-6).sqrt() * norm.weight[:, None, None] + norm.bias[
        :, None, None
    ]
    assert torch.allclose(norm(x), expected, atol=1e-5)


def test_mlp_layers_and_activation():
    mlp = MLP(3, 5, 5, 2)
    assert [tuple(layer.weight.shape) for layer in (*mlp.hidden, mlp.last)] == [
        (5, 3),
        (5, 5),
        (2, 5),
    ]
    x = torch.randn(4, 3)
    hidden = mlp.hidden[1](mlp.hidden[0](x).relu()).relu()
    assert torch.equal(mlp(x), mlp.last(hidden))


def test_convnext_block_without_scale_is_the_identity():
    block = ConvNeXtBlock(4)
    x = torch.randn(1, 4, 8, 8)
    assert not torch.allclose(block(x), x)
    block.scale.data.zero_()
    assert torch.equal(block(x), x)


def test_drop_path_drops_whole_rows_and_scales_the_others():
    torch.manual_seed(0)
    drop, x = DropPath(0.5), torch.ones(200, 3, 2)
    kept = drop(x)
    rows = kept.flatten(1)
    assert set(rows.unique().tolist()) == {0.0, 2.0}
    assert (rows == rows[:, :1]).all()
    assert 60 < (rows[:, 0] > 0).sum() < 140
    assert torch.equal(drop.eval()(x), x)


@given(st.integers(1, 3), st.integers(1, 13), st.integers(1, 13), st.integers(1, 6))
@settings(deadline=None, max_examples=40)
def test_windows_come_back(batch: int, height: int, width: int, size: int):
    x = torch.randn(batch, height, width, 2)
    windows = to_windows(x, size, torch.zeros(2))
    assert windows.shape[1:] == (size, size, 2)
    assert torch.equal(from_windows(windows, batch, height, width), x)


def test_windows_are_neighbourhoods():
    x = torch.arange(16.0).view(1, 4, 4, 1)
    assert to_windows(x, 2, torch.zeros(1))[1, ..., 0].tolist() == [[2, 3], [6, 7]]


def test_windows_are_filled_up_at_the_end():
    windows = to_windows(torch.ones(1, 3, 3, 2), 2, torch.tensor([0.0, 10.0]))
    assert windows[..., 0].sum(dim=(1, 2)).tolist() == [4, 2, 2, 1]
    assert windows[..., 1].sum(dim=(1, 2)).tolist() == [4, 22, 22, 31]


def test_starting_weights_keep_unit_variance():
    torch.manual_seed(0)
    for layer, x in (
        (nn.Linear(400, 300), torch.randn(64, 400)),
        (nn.Conv2d(40, 30, 3), torch.randn(4, 40, 16, 16)),
        (nn.Conv2d(40, 40, 7, groups=40), torch.randn(4, 40, 16, 16)),
        (nn.ConvTranspose2d(100, 30, 2, stride=2), torch.randn(4, 100, 8, 8)),
    ):
        init_weights(layer)
        assert 0.6 < layer(x).var() < 1.2
        assert not layer.bias.any()


def test_layer_norm_over_channels_is_the_same_in_plain_steps():
    norm = LayerNorm2d(4)
    nn.init.normal_(norm.weight)
    nn.init.normal_(norm.bias)
    x = 5 * torch.randn(2, 4, 6, 7) + 3
    with torch.no_grad():  # on a CPU in plain steps
        in_steps = norm(x)
    assert not torch.equal(in_steps, norm(x))
    assert torch.allclose(in_steps, norm(x), atol=1e-5)
