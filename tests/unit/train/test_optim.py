"""Parameter groups, schedule and moving average."""

from __future__ import annotations

from itertools import pairwise

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from sam2s.model.presets import preset
from sam2s.model.sam2s import build_model
from sam2s.train.optim import (
    MovingAverage,
    OptimConfig,
    build_optimizer,
    freeze,
    learning_rate,
    set_lr,
)


def test_biases_norms_and_embeddings_do_not_decay() -> None:
    model = build_model(preset("nano"))
    groups = build_optimizer(model, OptimConfig(weight_decay=0.1)).param_groups
    names = {id(p): name for name, p in model.named_parameters()}
    decayed = {names[id(p)] for group in groups if group["weight_decay"] for p in group["params"]}
    spared = {
        names[id(p)] for group in groups if not group["weight_decay"] for p in group["params"]
    }
    assert decayed | spared == set(names.values())
    assert "image_encoder.trunk.blocks.0.attn.qkv.weight" in decayed
    assert not any(name.endswith("bias") or "norm" in name for name in decayed)
    assert {
        "image_encoder.trunk.pos_embed",
        "prompt_encoder.label_embed",
        "memory_attention.slot_embed",
    } <= spared


def test_layer_decay_scales_the_trunk_only() -> None:
    model = build_model(preset("nano"))
    optimizer = build_optimizer(model, OptimConfig(layer_decay=0.5))
    set_lr(optimizer, 2.0)
    rates = {id(p): group["lr"] for group in optimizer.param_groups for p in group["params"]}
    trunk = model.image_encoder.trunk
    depth = len(trunk.blocks)
    assert rates[id(trunk.blocks[-1].attn.qkv.weight)] == pytest.approx(1.0)
    assert rates[id(trunk.blocks[0].attn.qkv.weight)] == pytest.approx(2.0 * 0.5**depth)
    assert rates[id(trunk.patch_embed.weight)] == pytest.approx(2.0 * 0.5 ** (depth + 1))
    assert rates[id(model.memory_attention.slot_embed)] == 2.0


def test_frozen_parameters_are_left_out() -> None:
    model = nn.Linear(3, 3)
    model.bias.requires_grad_(False)
    assert sum(len(g["params"]) for g in build_optimizer(model, OptimConfig()).param_groups) == 1


def test_the_image_encoder_may_go_slower() -> None:
    model = build_model(preset("nano"))
    optimizer = build_optimizer(model, OptimConfig(encoder_lr=0.25))
    set_lr(optimizer, 4.0)
    rates = {id(p): group["lr"] for group in optimizer.param_groups for p in group["params"]}
    names = dict(model.named_parameters())
    assert {rates[id(p)] for name, p in names.items() if name.startswith("image_encoder.")} == {1.0}
    assert {rates[id(p)] for name, p in names.items() if not name.startswith("image_encoder.")} == {
        4.0
    }


def test_freezing_rests_what_is_named_and_wakes_the_rest() -> None:
    model = nn.ModuleDict({"encoder": nn.Linear(2, 2), "head": nn.Linear(2, 2)})
    freeze(model, ("encoder",))
    assert [p.requires_grad for p in model.parameters()] == [False, False, True, True]
    freeze(model, ())
    assert all(p.requires_grad for p in model.parameters())


@settings(deadline=None, max_examples=100)
@given(
    steps=st.integers(1, 500),
    warmup=st.integers(0, 500),
    lr=st.floats(1e-5, 1),
    end=st.floats(0, 1e-5),
)
def test_schedule_rises_then_falls(steps: int, warmup: int, lr: float, end: float) -> None:
    rates = [learning_rate(step, steps, lr, end, warmup) for step in range(steps + 1)]
    peak = min(warmup, steps)
    assert all(a < b for a, b in pairwise(rates[:peak]))
    assert all(a >= b for a, b in pairwise(rates[warmup:]))
    assert max(rates) <= lr * (1 + 1e-9)
    if warmup < steps:
        assert rates[warmup] == pytest.approx(lr)
        assert rates[-1] == pytest.approx(end)


def test_moving_average_by_hand() -> None:
    model = nn.Linear(1, 1, bias=False)
    model.weight.data.fill_(0.0)
    average = MovingAverage(model, decay=0.9, warmup=2.0)
    model.weight.data.fill_(1.0)
    average.update(model)  # decay min(0.9, 1 / 2)
    assert average.weights["weight"].item() == pytest.approx(0.5)
    average.update(model)  # decay min(0.9, 2 / 3)
    assert average.weights["weight"].item() == pytest.approx(1 - 0.5 * 2 / 3)
    other = nn.Linear(1, 1, bias=False)
    average.copy_to(other)
    assert other.weight.item() == average.weights["weight"].item()


def test_moving_average_goes_on_from_its_state() -> None:
    torch.manual_seed(0)
    model = nn.Linear(2, 2)
    one = MovingAverage(model, 0.9, 1.0)
    model.weight.data.add_(1.0)
    one.update(model)
    two = MovingAverage(nn.Linear(2, 2), 0.9, 1.0)
    two.load_state_dict(one.state_dict())
    model.weight.data.add_(1.0)
    one.update(model)
    two.update(model)
    assert all(torch.equal(one.weights[name], two.weights[name]) for name in one.weights)
