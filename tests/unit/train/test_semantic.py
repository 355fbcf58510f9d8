"""TSL's loss by hand, rows without class, banks from a text tower, and training with TSL and
ARL."""

from __future__ import annotations

import json
import math
import os
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor

from sam2s.clips.clips import ConsecutiveSampler
from sam2s.errors import InputError, WeightsError
from sam2s.masklets.masklets import open_masklets
from sam2s.model.presets import SemanticConfig
from sam2s.model.sam2s import SAM2S
from sam2s.train import trainer
from sam2s.train.ambiguity import SoftLabel
from sam2s.train.config import (
    Clips,
    FolderSet,
    RunConfig,
    Schedule,
    Stage,
    Teaching,
    TrainConfig,
    from_json,
    to_json,
)
from sam2s.train.initial_weights import starting_model
from sam2s.train.losses import LossConfig
from sam2s.train.optim import OptimConfig
from sam2s.train.run import run_training
from sam2s.train.semantic import (
    NO_CLASS,
    check_classes,
    class_targets,
    semantic_loss,
    semantic_losses,
    with_semantics,
)
from sam2s.train.unroll import UserConfig
from sam2s.types import PromptBatch
from sam2s.weights.load import load_model
from sam2s.weights.save import save_model
from sam2s.weights.text_bank import text_bank
from small import SMALL, small_model

NAMES = ("grasper", "snare", "US probe")
ORTHOGONAL = SemanticConfig(NAMES, bank="orthogonal", width=8)
WIDTH = 12


# --------------------------------------------------------------------------- the loss


def test_cross_entropy_by_hand() -> None:
    logits = torch.tensor([[1.0, 2.0, 0.0], [0.0, 0.0, 0.0], [5.0, 1.0, 1.0], [3.0, 3.0, 3.0]])
    targets = torch.tensor([1, 2, NO_CLASS, 0])
    first = math.log(math.exp(1) + math.exp(2) + 1) - 2
    assert semantic_loss(logits, targets).item() == pytest.approx(
        (first + 2 * math.log(3)) / 4, rel=1e-5
    )


def test_rows_without_class_add_exactly_nothing() -> None:
    logits = torch.randn(3, 4, requires_grad=True)
    semantic_loss(logits, torch.tensor([NO_CLASS, 2, NO_CLASS])).backward()
    assert logits.grad is not None
    assert torch.equal(logits.grad[[0, 2]], torch.zeros(2, 4))
    assert logits.grad[1].abs().max() > 0


@pytest.mark.parametrize("rows", [0, 1, 3])
def test_a_batch_without_any_class_is_fine(rows: int) -> None:
    logits = torch.randn(rows, 4, requires_grad=True)
    loss = semantic_loss(logits, torch.full((rows,), NO_CLASS))
    loss.backward()
    assert loss.item() == 0
    assert logits.grad is not None
    assert torch.equal(logits.grad, torch.zeros(rows, 4))


def test_targets_are_places_in_the_list() -> None:
    assert class_targets(("snare", None, "grasper"), NAMES).tolist() == [1, NO_CLASS, 0]
    with pytest.raises(
        InputError, match=r"class 'hook', 'stapler': not among the model's class names"
    ):
        class_targets(("hook", "grasper", "stapler"), NAMES)


def test_only_instruments_of_the_data_need_a_name(squares: Path) -> None:
    videos = open_masklets(squares).videos.values()
    check_classes(videos, NAMES)  # its polyp is tissue
    with pytest.raises(InputError, match="class 'grasper'"):
        check_classes(videos, ("snare",))


def learnt(model: SAM2S, classes: tuple[str | None, ...]) -> tuple[Tensor, Tensor]:
    """The loss of one decoding of two random pictures, and the gradient of the projection."""
    model.zero_grad()
    torch.manual_seed(3)
    features = model.recall(model.encode(torch.randn(2, 3, 64, 64)), None)
    decoded = model.decode(features, PromptBatch.none(2))
    assert model.semantic_head is not None
    loss = semantic_losses(model.semantic_head, [decoded, decoded], classes)
    loss.backward()
    grad = model.semantic_head.projection.weight.grad
    assert grad is not None
    return loss.detach(), grad.clone()


def test_decodings_are_summed_and_reach_the_token() -> None:
    model = small_model(config=replace(SMALL, semantic=ORTHOGONAL))
    loss, grad = learnt(model, ("grasper", "snare"))
    one, other = (learnt(model, classes)[0] for classes in (("grasper", None), (None, "snare")))
    assert loss.item() == pytest.approx((one + other).item(), rel=1e-5)
    assert grad.abs().max() > 0
    nothing, still = learnt(model, (None, None))
    assert nothing.item() == 0
    assert not still.any()
    assert model.semantic_head is not None
    assert model.semantic_head.token.grad is not None
    assert not model.semantic_head.token.grad.any()


# --------------------------------------------------------------------------- the bank


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A random CLIP text tower of two narrow layers and a tokenizer of single letters, in
    transformers' format."""
    transformers = pytest.importorskip("transformers")
    folder = tmp_path_factory.mktemp("clips") / "tiny-clip"
    letters = [chr(code) for code in range(33, 127)]
    vocabulary = [
        *letters,
        *(letter + "</w>" for letter in letters),
        "<|startoftext|>",
        "<|endoftext|>",
    ]
    folder.mkdir()
    (folder / "vocab.json").write_text(json.dumps({token: k for k, token in enumerate(vocabulary)}))
    (folder / "merges.txt").write_text("#version: 0.2\n")
    tokenizer = transformers.CLIPTokenizer.from_pretrained(folder)
    config = transformers.CLIPTextConfig(
        vocab_size=len(vocabulary),
        hidden_size=16,
        intermediate_size=16,
        projection_dim=WIDTH,
        num_hidden_layers=2,
        num_attention_heads=2,
        max_position_embeddings=40,
        bos_token_id=len(vocabulary) - 2,
        eos_token_id=len(vocabulary) - 1,
        pad_token_id=len(vocabulary) - 1,
    )
    torch.manual_seed(0)
    transformers.CLIPTextModelWithProjection(config).save_pretrained(folder)
    transformers.CLIPTextModel(config).save_pretrained(folder.parent / "unprojected")
    for place in (folder, folder.parent / "unprojected"):
        tokenizer.save_pretrained(place)
    return folder


def test_the_text_bank_is_the_mean_over_templates(clip: Path) -> None:
    from transformers import AutoTokenizer, CLIPTextModelWithProjection

    templates = ("a {}.", "the {} in surgery")
    bank = text_bank(NAMES, templates, str(clip))
    tokenizer, tower = (
        AutoTokenizer.from_pretrained(clip),
        CLIPTextModelWithProjection.from_pretrained(clip).eval(),
    )
    texts = ["a US probe.", "the US probe in surgery"]
    with torch.no_grad():
        single = [tower(**tokenizer(text, return_tensors="pt")).text_embeds[0] for text in texts]
    mean = sum(row / row.norm() for row in single)
    assert bank.shape == (3, WIDTH)
    assert torch.allclose(bank[2], mean / mean.norm(), atol=1e-5)
    assert torch.allclose(bank.norm(dim=1), torch.ones(3))
    assert (bank[0] - bank[1]).abs().max() > 1e-4
    assert not bank.requires_grad


def test_what_is_no_text_tower(clip: Path, tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match=r"lacks 1 tensors .*text_projection"):
        text_bank(NAMES, ("{}",), str(clip.parent / "unprojected"))
    with pytest.raises(WeightsError, match="not a CLIP checkpoint"):
        text_bank(NAMES, ("{}",), str(tmp_path))


def test_a_model_grows_names_and_keeps_the_rest(clip: Path, tmp_path: Path) -> None:
    plain = small_model()
    semantic = SemanticConfig(NAMES, width=WIDTH, encoder=str(clip))
    grown = with_semantics(plain, semantic)
    assert grown.semantic_head is not None
    assert torch.equal(
        grown.semantic_head.text_embed, text_bank(NAMES, semantic.templates, str(clip))
    )
    assert all(
        torch.equal(weight, grown.state_dict()[name]) for name, weight in plain.state_dict().items()
    )
    assert grown.training == plain.training
    assert grown.config.semantic == replace(semantic, encoder="tiny-clip")
    assert not any(
        str(clip.parent) in path.read_text(errors="replace")
        for path in save_model(grown, tmp_path).iterdir()
    )


def test_other_names_keep_token_and_projection_and_the_same_names_everything(clip: Path) -> None:
    semantic = SemanticConfig(NAMES, width=WIDTH, encoder=str(clip))
    model = with_semantics(small_model(), semantic)
    assert with_semantics(model, semantic) is model
    other = with_semantics(model, replace(semantic, classes=("hook", "clamp")))
    assert model.semantic_head is not None
    assert other.semantic_head is not None
    assert other.semantic_head.classes == ("hook", "clamp")
    assert torch.equal(other.semantic_head.token, model.semantic_head.token)
    assert torch.equal(other.semantic_head.projection.weight, model.semantic_head.projection.weight)
    assert other.semantic_head.text_embed.shape == (2, WIDTH)


def test_a_learnable_bank_keeps_what_it_learnt_of_names_that_stay() -> None:
    learnable = SemanticConfig(NAMES, bank="learnable", width=8)
    model = with_semantics(small_model(), learnable)
    assert model.semantic_head is not None
    torch.nn.init.normal_(model.semantic_head.text_embed)
    other = with_semantics(model, replace(learnable, classes=("hook", *NAMES[::-1]))).semantic_head
    assert other is not None
    assert torch.equal(other.text_embed[1:], model.semantic_head.text_embed.flip(0))
    assert abs(float(other.text_embed[0].norm().detach()) - 1) < 1e-5


def test_a_bank_of_another_width_is_refused(clip: Path) -> None:
    with pytest.raises(
        InputError, match=r"got \(3, 12\), expected finite numbers of shape \(3, 8\)"
    ):
        with_semantics(small_model(), SemanticConfig(NAMES, width=8, encoder=str(clip)))


# --------------------------------------------------------------------------- runs


def run_config(
    root: Path, start: Path, semantic: SemanticConfig | None, *, steps: int
) -> TrainConfig:
    """From a small model on the sliding squares, with ARL's soft labels and a loud TSL."""
    loss = LossConfig(stride=4, soften=SoftLabel(), tsl=0.5)
    user = UserConfig(mask=0.3, prompted=1, corrected=1, clicks=1)
    stage = Stage(
        name="clips",
        schedule=Schedule(steps=steps, lr=3e-3, lr_end=3e-3),
        clips=Clips(size=64, batch=2, sampler=ConsecutiveSampler(frames=3)),
        teaching=Teaching(user=user, loss=loss),
    )
    run = RunConfig(precision="fp32", log_every=1, overlay_every=1000, checkpoint_minutes=60.0)
    return TrainConfig(
        "named",
        str(start),
        (stage,),
        pretrained=True,
        folders=(FolderSet(str(root)),),
        semantic=semantic,
        optim=OptimConfig(clip=1.0, ema=0.0),
        run=run,
    )


@pytest.fixture(scope="module")
def start(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_model(small_model(), tmp_path_factory.mktemp("start") / "model")


def test_training_teaches_the_names_and_saves_them(
    squares: Path, start: Path, tmp_path: Path
) -> None:
    config = run_config(squares, start, ORTHOGONAL, steps=12)
    assert from_json(TrainConfig, to_json(config)) == config
    model = load_model(run_training(config, tmp_path), device="cpu")
    records = [json.loads(line) for line in (tmp_path / trainer.LOG).read_text().splitlines()]
    losses = [record["tsl"] for record in records if "tsl" in record]
    assert len(losses) == 12
    assert sum(losses[-3:]) < 0.5 * sum(losses[:3])
    assert model.config.semantic == ORTHOGONAL
    assert model.semantic_head is not None
    before = with_semantics(small_model(), ORTHOGONAL).semantic_head
    assert before is not None
    assert torch.equal(model.semantic_head.text_embed, before.text_embed)  # frozen


def test_an_unknown_instrument_stops_before_the_first_step(
    squares: Path, start: Path, tmp_path: Path
) -> None:
    with pytest.raises(InputError, match="class 'grasper': not among"):
        run_training(
            run_config(squares, start, replace(ORTHOGONAL, classes=("snare",)), steps=1), tmp_path
        )
    assert not os.path.exists(tmp_path / trainer.LOG)


def test_a_start_without_semantics_has_none(squares: Path, start: Path) -> None:
    assert starting_model(run_config(squares, start, None, steps=1)).semantic_head is None
