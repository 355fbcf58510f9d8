"""One step: accumulated gradients are those of one large batch, recomputed ones the same, frozen
weights rest."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor

from sam2s.clips.batch import ClipBatch
from sam2s.clips.clips import ConsecutiveSampler
from sam2s.errors import InputError
from sam2s.train.checkpoint import CHECKPOINT
from sam2s.train.config import Clips, FolderSet, RunConfig, Schedule, Stage, Teaching, TrainConfig
from sam2s.train.examples import generator
from sam2s.train.figures import read
from sam2s.train.initial_weights import starting_model
from sam2s.train.learner import ClipLearner, recompute_blocks
from sam2s.train.losses import LossConfig
from sam2s.train.optim import OptimConfig
from sam2s.train.run import prepare, run_training
from sam2s.train.trainer import SCRIPT, Trainer
from sam2s.train.unroll import UserConfig, draw_script
from sam2s.weights.load import load_model
from sam2s.weights.save import save_model
from small import SMALL, small_model

USER = UserConfig(mask=0.0, box=0.0, prompted=1, corrected=1, clicks=1, centred=1.0, careless=0.0)
"""Leaves nothing to chance but what is in the clips."""


@pytest.fixture(scope="module")
def start(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_model(small_model(), tmp_path_factory.mktemp("start") / "model")


def config_for(root: Path, start: Path, *, accumulate: int = 1, steps: int = 2) -> TrainConfig:
    stage = Stage(
        name="clips",
        schedule=Schedule(steps=steps, lr=1e-2, lr_end=1e-2),
        clips=Clips(size=64, batch=1, sampler=ConsecutiveSampler(frames=3), accumulate=accumulate),
        teaching=Teaching(user=USER, loss=LossConfig(stride=4)),
    )
    run = RunConfig(precision="fp32", log_every=1, checkpoint_minutes=0.0)
    return TrainConfig(
        "step",
        str(start),
        (stage,),
        pretrained=True,
        folders=(FolderSet(str(root)),),
        optim=OptimConfig(clip=1.0, weight_decay=0.5),
        run=run,
        seed=3,
    )


def joined(batches: list[ClipBatch]) -> ClipBatch:
    """All clips of several batches in one."""
    offsets = [sum(len(b.clips) for b in batches[:k]) for k in range(len(batches))]
    return ClipBatch(
        clips=tuple(clip for b in batches for clip in b.clips),
        images=torch.cat([b.images for b in batches]),
        masks=torch.cat([b.masks for b in batches], dim=1),
        annotated=torch.cat([b.annotated for b in batches], dim=1),
        clip_of_row=torch.cat([b.clip_of_row + o for b, o in zip(batches, offsets, strict=True)]),
        times=tuple(times for b in batches for times in b.times),
        classes=tuple(name for b in batches for name in b.classes),
    )


def gradients(model: torch.nn.Module) -> dict[str, Tensor]:
    return {name: p.grad.clone() for name, p in model.named_parameters() if p.grad is not None}


def assert_same(one: dict[str, Tensor], other: dict[str, Tensor]) -> None:
    assert one.keys() == other.keys()
    assert max(grad.abs().max() for grad in one.values()) > 1e-3
    for name, grad in one.items():
        torch.testing.assert_close(
            grad, other[name], rtol=1e-3, atol=1e-5 * max(1.0, float(grad.abs().max()))
        )


def trainer_for(config: TrainConfig, folder: Path) -> Trainer:
    trainer = prepare(config, folder, folder)
    trainer.learner.train()
    return trainer


def test_accumulated_gradients_are_those_of_one_batch_with_all_rows(
    squares: Path, start: Path, tmp_path: Path
) -> None:
    config = config_for(squares, start, accumulate=3)
    trainer = trainer_for(config, tmp_path)
    step, passes = next(
        (k, p) for k, p in enumerate(trainer.steps(0)[k] for k in range(2)) if uneven(p)
    )
    figures = read([trainer.descend(step, passes)])[0]
    large, model = joined(passes), starting_model(config).train()
    stage = config.stages[0]
    script = draw_script(stage.teaching.user, 3, generator(config.seed, step, purpose=SCRIPT))
    losses, answers = ClipLearner(model, config.memory)(large, stage, script, generator(0, 0))
    losses.total.backward()
    assert_same(gradients(trainer.running.model), gradients(model))
    assert figures["total"] == pytest.approx(float(losses.total.detach()) / len(answers), rel=1e-4)
    assert figures["rows"] == large.rows


def uneven(passes: list[ClipBatch]) -> bool:
    return len({batch.rows for batch in passes}) > 1


@pytest.mark.parametrize("dropout", [0.0, 0.3])
def test_recomputed_blocks_give_the_same_gradients_with_less_kept(
    squares: Path, start: Path, tmp_path: Path, dropout: float
) -> None:
    model = small_model(config=replace(SMALL, dropout=dropout, drop_path=dropout))
    config = replace(config_for(squares, start), model=str(save_model(model, tmp_path / "model")))
    kept, found = [], []
    for recompute in (False, True):
        trainer = trainer_for(
            replace(config, run=replace(config.run, recompute=recompute)), tmp_path
        )
        sizes: list[int] = []

        def pack(tensor: Tensor, sizes: list[int] = sizes) -> Tensor:
            sizes.append(tensor.numel())
            return tensor

        with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
            trainer.descend(0, trainer.steps(0)[0])
        kept.append(sum(sizes))
        found.append(gradients(trainer.running.model))
    assert_same(*found)
    # Hooks of ours do not see what is kept inside a recomputed block, and nothing is kept there.
    assert kept[1] < 0.9 * kept[0]


def test_recomputation_leaves_inference_and_names_alone() -> None:
    plain, light = small_model(), recompute_blocks(small_model())
    picture = torch.randn(1, 3, 64, 64)
    with torch.no_grad():
        assert torch.equal(plain.encode(picture).stride16, light.encode(picture).stride16)
    assert plain.state_dict().keys() == light.state_dict().keys()


def test_frozen_groups_neither_decay_nor_drift(squares: Path, start: Path, tmp_path: Path) -> None:
    config = config_for(squares, start)
    config = replace(
        config,
        stages=(
            replace(
                config.stages[0],
                teaching=replace(
                    config.stages[0].teaching, frozen=("image_encoder", "memory_attention")
                ),
            ),
        ),
    )
    run_training(config, tmp_path)
    state = torch.load(tmp_path / CHECKPOINT, weights_only=True)
    before = starting_model(config).state_dict()
    frozen = [name for name in before if name.startswith(("image_encoder.", "memory_attention."))]
    assert frozen
    for name in frozen:
        assert torch.equal(before[name], state["model"][name])
        if name in state["average"]["weights"]:
            assert torch.equal(before[name], state["average"]["weights"][name])
    decoder = [name for name in before if name.startswith("mask_decoder.")]
    assert not all(torch.equal(before[name], state["model"][name]) for name in decoder)


def test_a_frozen_name_that_nothing_has_is_refused(
    squares: Path, start: Path, tmp_path: Path
) -> None:
    config = config_for(squares, start)
    for name in ("encoder", ""):
        wrong = replace(
            config,
            stages=(
                replace(
                    config.stages[0], teaching=replace(config.stages[0].teaching, frozen=(name,))
                ),
            ),
        )
        with pytest.raises(
            InputError, match=f"begins with '{name}'; the groups are no_object_pointer"
        ):
            prepare(wrong, tmp_path, tmp_path)


def test_resuming_with_accumulation_is_exact(
    squares: Path, start: Path, tmp_path: Path, break_off: Callable
) -> None:
    config = config_for(squares, start, accumulate=2, steps=3)
    run_training(config, tmp_path / "whole")
    break_off(config, tmp_path / "broken", 1)
    run_training(config, tmp_path / "broken", resume=True)
    one, two = (
        torch.load(tmp_path / name / CHECKPOINT, weights_only=True) for name in ("whole", "broken")
    )
    assert all(torch.equal(one["model"][name], two["model"][name]) for name in one["model"])


def test_the_model_takes_the_size_it_was_trained_at(
    squares: Path, start: Path, tmp_path: Path
) -> None:
    config = config_for(squares, start, steps=1)
    config = replace(
        config, stages=(replace(config.stages[0], clips=replace(config.stages[0].clips, size=96)),)
    )
    assert load_model(run_training(config, tmp_path), device="cpu").image_size == 96


def test_a_model_without_long_term_embedding_grows_one(squares: Path, tmp_path: Path) -> None:
    plain = small_model(
        config=replace(SMALL, long_term_embedding=False, memory=SMALL.memory.recent)
    )
    config = replace(config_for(squares, save_model(plain, tmp_path / "plain")), long_term=True)
    grown = starting_model(config)
    assert grown.config.long_term_embedding
    assert grown.config.memory.rule == "diverse"
    old, new = plain.memory_attention.slot_embed, grown.memory_attention.slot_embed
    assert torch.equal(new[:-1], old)
    assert torch.equal(
        new[-1], old[-1]
    )  # that of prompted frames, which long-term memories used before
    others = {n: t for n, t in plain.state_dict().items() if n != "memory_attention.slot_embed"}
    assert all(torch.equal(t, grown.state_dict()[n]) for n, t in others.items())
    again = starting_model(replace(config, model=str(save_model(grown, tmp_path / "grown"))))
    assert torch.equal(again.memory_attention.slot_embed, new)
