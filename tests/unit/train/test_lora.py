"""LoRA: nothing changes at first, only adapters train, and what is saved is a plain model."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import nn

from sam2s.clips.clips import ConsecutiveSampler
from sam2s.errors import InputError
from sam2s.model.presets import SemanticConfig
from sam2s.train.checkpoint import CHECKPOINT
from sam2s.train.config import (
    Clips,
    FolderSet,
    LoraConfig,
    RunConfig,
    Schedule,
    Stage,
    Teaching,
    TrainConfig,
)
from sam2s.train.initial_weights import add_adapters, merged, starting_model
from sam2s.train.losses import LossConfig
from sam2s.train.optim import OptimConfig
from sam2s.train.run import run_training
from sam2s.train.unroll import UserConfig
from sam2s.weights.load import load_model
from sam2s.weights.save import save_model
from small import SMALL, small_model

pytest.importorskip("peft")
LORA = LoraConfig(rank=2, alpha=4.0)


@pytest.fixture(scope="module")
def start(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_model(small_model(), tmp_path_factory.mktemp("start") / "model")


def config_for(root: Path, start: Path, lora: LoraConfig = LORA) -> TrainConfig:
    user = UserConfig(prompted=1, corrected=1, clicks=1)
    stage = Stage(
        name="clips",
        schedule=Schedule(steps=3, lr=1e-2, lr_end=1e-2),
        clips=Clips(size=64, batch=1, sampler=ConsecutiveSampler(frames=2)),
        teaching=Teaching(user=user, loss=LossConfig(stride=4)),
    )
    run = RunConfig(precision="fp32", checkpoint_minutes=0.0)
    return TrainConfig(
        "lora", str(start), (stage,), pretrained=True, folders=(FolderSet(str(root)),), lora=lora,
        optim=OptimConfig(clip=1.0, ema=0.5), run=run,
    )  # fmt: skip


def test_adapters_change_nothing_until_they_are_trained_and_merge_into_what_they_compute() -> None:
    plain, adapted = small_model(), add_adapters(small_model(), LORA)
    picture = torch.randn(1, 3, 64, 64)
    assert torch.equal(plain.encode(picture).stride16, adapted.encode(picture).stride16)
    for name, parameter in adapted.named_parameters():
        if "lora_B" in name:
            nn.init.normal_(parameter)
    whole = merged(adapted)
    assert whole.state_dict().keys() == plain.state_dict().keys()
    changed = adapted.encode(picture).stride16
    torch.testing.assert_close(
        whole.encode(picture).stride16,
        changed,
        rtol=1e-4,
        atol=1e-4 * float(changed.detach().abs().max()),
    )
    assert (changed - plain.encode(picture).stride16).abs().max() > 1e-2


def test_only_adapters_and_chosen_modules_train() -> None:
    model = add_adapters(small_model(), replace(LORA, modules=("prompt_encoder",)))
    trained = {name for name, p in model.named_parameters() if p.requires_grad}
    assert all(".lora_" in name or name.startswith("prompt_encoder.") for name in trained)
    assert any(name.startswith("image_encoder.trunk.blocks.0.attn.qkv.lora_A") for name in trained)
    assert any(
        name.startswith("memory_attention.layers.0.cross_attn.k_proj.lora_B") for name in trained
    )
    named = small_model(
        config=replace(SMALL, semantic=SemanticConfig(("hook",), bank="orthogonal", width=8))
    )
    add_adapters(named, replace(LORA, modules=()))
    assert named.semantic_head is not None
    assert named.semantic_head.projection.weight.requires_grad


def test_a_run_rests_the_base_and_saves_a_plain_model(
    squares: Path, start: Path, tmp_path: Path
) -> None:
    config = config_for(squares, start)
    folder = run_training(config, tmp_path)
    state = torch.load(tmp_path / CHECKPOINT, weights_only=True)
    before = small_model().state_dict()
    model = load_model(folder, device="cpu")
    saved = model.state_dict()
    assert saved.keys() == before.keys()
    changed = {name for name in saved if not torch.equal(saved[name], before[name])}
    allowed = [
        name
        for name in changed
        if ".attn." in name or "_attn." in name or name.startswith("mask_decoder.")
    ]
    assert sorted(changed) == sorted(allowed)
    assert any(".attn.qkv.weight" in name for name in changed)
    assert any(name.startswith("mask_decoder.") for name in changed)
    for name, weight in state["model"].items():
        if ".lora_" not in name and not name.startswith("mask_decoder."):
            assert torch.equal(weight, before[name.replace(".base_layer.", ".")])
    # The averaged adapters are merged, and only what trains is averaged.
    assert all(
        ".lora_" in name or name.startswith("mask_decoder.") for name in state["average"]["weights"]
    )
    adapted = starting_model(config)
    adapted.load_state_dict(state["model"])
    with torch.no_grad():
        for name, parameter in adapted.named_parameters():
            if name in state["average"]["weights"]:
                parameter.copy_(state["average"]["weights"][name])
    assert all(
        torch.equal(saved[name], weight) for name, weight in merged(adapted).state_dict().items()
    )


def test_adapters_resume_exactly(
    squares: Path, start: Path, tmp_path: Path, break_off: Callable
) -> None:
    config = config_for(squares, start, replace(LORA, dropout=0.2))
    run_training(config, tmp_path / "whole")
    break_off(config, tmp_path / "broken", 1)
    run_training(config, tmp_path / "broken", resume=True)
    one, two = (
        torch.load(tmp_path / name / CHECKPOINT, weights_only=True) for name in ("whole", "broken")
    )
    assert all(torch.equal(one["model"][name], two["model"][name]) for name in one["model"])


@pytest.mark.parametrize(
    ("lora", "message"),
    [
        (
            LoraConfig(targets="nothing"),
            "'nothing' matches no layer; layers are named like image_encoder",
        ),
        (LoraConfig(targets="("), "is no regular expression"),
        (LoraConfig(modules=("decoder",)), "no parameter's name begins with 'decoder'"),
    ],
)
def test_mistakes(lora: LoraConfig, message: str) -> None:
    with pytest.raises(InputError, match=message):
        add_adapters(small_model(), lora)


def test_adapters_need_something_to_adapt_and_peft(
    squares: Path, start: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(InputError, match="need a trained model under them"):
        starting_model(replace(config_for(squares, start), model="nano", pretrained=False))
    monkeypatch.setitem(sys.modules, "peft", None)
    with pytest.raises(InputError, match=r"pip install 'sam2s\[lora\]'"):
        add_adapters(small_model(), LORA)
