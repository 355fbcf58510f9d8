"""Muon: steps of hidden matrices that are orthogonal, and AdamW's for the rest."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from sam2s.errors import InputError
from sam2s.model.presets import preset
from sam2s.model.sam2s import build_model
from sam2s.recipes import recipe
from sam2s.train.checks import check_config
from sam2s.train.muon import STEP_SIZE, Muon, orthogonal
from sam2s.train.optim import OptimConfig, build_optimizer, set_lr

side = st.integers(8, 24)


@settings(max_examples=25, deadline=None)
@given(st.integers(1, 3), side, side, st.integers(0, 99), st.floats(1e-4, 1e4))
def test_all_directions_of_a_step_weigh_about_the_same(
    count: int, height: int, width: int, seed: int, size: float
) -> None:
    random = torch.Generator().manual_seed(seed)
    matrices = size * torch.randn(count, height, width, generator=random)
    turned = orthogonal(matrices)
    values = torch.linalg.svdvals(turned)
    # The smallest singular values of a square matrix may be too small to be raised in five rounds.
    assert values.max() < 1.3
    assert values.median() > 0.6
    # Each matrix for itself, and whichever way it lies.
    torch.testing.assert_close(orthogonal(matrices[:1])[0], turned[0], rtol=1e-3, atol=1e-3)
    torch.testing.assert_close(orthogonal(matrices.mT), turned.mT, rtol=1e-3, atol=1e-3)


def test_no_gradient_gives_no_step() -> None:
    assert not orthogonal(torch.zeros(2, 8, 9)).any()


def stepped(weight: Tensor, gradient: Tensor, parts: int, decay: float = 0.0) -> Tensor:
    """The change of ``weight`` by one step of size 1."""
    weight = nn.Parameter(weight.clone())
    bias = nn.Parameter(torch.zeros(3))
    groups = [
        {"params": [weight], "parts": parts, "weight_decay": decay},
        {"params": [bias], "parts": 0, "weight_decay": 0.0},
    ]
    optimizer = Muon(groups, lr=1.0, betas=(0.9, 0.99))
    before = weight.detach().clone()
    weight.grad, bias.grad = gradient, torch.tensor([1.0, -2.0, 0.0])
    optimizer.step()
    # AdamW's first step has the gradient's sign alone.
    torch.testing.assert_close(bias.detach(), torch.tensor([-1.0, 1.0, 0.0]))
    return weight.detach() - before


def test_a_step_is_as_large_as_adamws() -> None:
    random = torch.Generator().manual_seed(1)
    change = stepped(torch.zeros(48, 64), torch.randn(48, 64, generator=random), parts=1)
    assert 0.7 * STEP_SIZE < change.square().mean().sqrt() < 1.2 * STEP_SIZE


def test_packed_projections_and_kernels_are_matrices_each() -> None:
    random = torch.Generator().manual_seed(2)
    gradient = torch.randn(3 * 32, 40, generator=random) * torch.tensor(
        [1.0, 1e-3, 1e3]
    ).repeat_interleave(32).unsqueeze(1)
    packed = stepped(torch.zeros(96, 40), gradient, parts=3)
    for k in range(3):
        rows = slice(32 * k, 32 * k + 32)
        alone = stepped(torch.zeros(32, 40), gradient[rows], parts=1)
        torch.testing.assert_close(packed[rows], alone, rtol=1e-3, atol=1e-4)
    kernel = stepped(torch.zeros(32, 10, 2, 2), gradient[:32].view(32, 10, 2, 2), parts=1)
    torch.testing.assert_close(kernel.view(32, 40), packed[:32], rtol=1e-3, atol=1e-4)


def test_weights_decay_as_adamws_do() -> None:
    weight = torch.ones(32, 32)
    change = stepped(weight, torch.zeros(32, 32), parts=1, decay=0.1)
    torch.testing.assert_close(change, -0.1 * weight)


def test_which_parameters_are_hidden_matrices() -> None:
    model = build_model(preset("nano"))
    groups = build_optimizer(model, OptimConfig(kind="muon")).param_groups
    parts = {id(p): group["parts"] for group in groups for p in group["params"]}
    names = dict(model.named_parameters())
    of = {name: parts[id(p)] for name, p in names.items()}
    assert of["image_encoder.trunk.blocks.4.attn.qkv.weight"] == 3
    assert of["image_encoder.trunk.blocks.4.mlp.last.weight"] == 1
    assert of["mask_decoder.upscale8.weight"] == 1
    assert of["memory_attention.layers.0.cross_attn.k_proj.weight"] == 1
    for name in (
        "image_encoder.trunk.patch_embed.weight",
        "image_encoder.trunk.pos_embed",
        "image_encoder.trunk.blocks.4.attn.qkv.bias",
        "memory_encoder.blocks.0.depthwise.weight",
        "mask_decoder.mask_heads.0.last.weight",
        "mask_decoder.mask_tokens",
        "memory_attention.slot_embed",
    ):
        assert of[name] == 0, name
    hidden = sum(p.numel() for name, p in names.items() if of[name])
    assert hidden > 0.9 * sum(p.numel() for p in names.values())
    plain = build_optimizer(model, OptimConfig()).param_groups
    assert all(group["parts"] == 0 for group in plain)


def test_it_goes_on_from_a_saved_state_to_the_bit() -> None:
    torch.manual_seed(3)
    model = nn.Sequential(nn.Linear(40, 40), nn.GELU(), nn.Linear(40, 3))
    inputs = torch.randn(4, 8, 40)

    def train(model: nn.Module, optimizer: torch.optim.Optimizer, some: Tensor) -> None:
        set_lr(optimizer, 1e-2)
        for batch in some:
            optimizer.zero_grad()
            model(batch).square().sum().backward()
            optimizer.step()

    config = OptimConfig(kind="muon")
    optimizer = build_optimizer(model, config)
    train(model, optimizer, inputs[:2])
    other = deepcopy(model)
    resumed = build_optimizer(other, config)
    resumed.load_state_dict(deepcopy(optimizer.state_dict()))
    train(model, optimizer, inputs[2:])
    train(other, resumed, inputs[2:])
    for here, there in zip(model.parameters(), other.parameters(), strict=True):
        assert torch.equal(here, there)


def test_a_matrix_that_does_not_take_part_stays() -> None:
    used, unused = nn.Linear(32, 32), nn.Linear(32, 32)
    optimizer = build_optimizer(nn.ModuleList([used, unused]), OptimConfig(kind="muon"))
    set_lr(optimizer, 1.0)
    before = unused.weight.detach().clone()
    used(torch.ones(1, 32)).sum().backward()
    optimizer.step()
    assert torch.equal(unused.weight, before)


def test_another_name_is_refused() -> None:
    (part,) = recipe("nano_next:wide")
    with pytest.raises(InputError, match=r"optim.kind: got 'sgd', expected adamw or muon"):
        check_config(replace(part, optim=replace(part.optim, kind="sgd")))
