"""TSL in the network: where the token goes, what it sees, who sees it, and that without it nothing
changes."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from sam2s.errors import InputError, WeightsError
from sam2s.model.presets import ModelConfig, SemanticConfig
from sam2s.model.sam2s import SAM2S
from sam2s.model.semantic_head import LOGIT_SCALE, SemanticHead, orthogonal_bank
from sam2s.nn import attention
from sam2s.tracking.tracker import Tracker
from sam2s.types import Decoded, Features, Mask, MemoryBatch, Points, PromptBatch, take_rows
from sam2s.weights.load import load_model
from sam2s.weights.save import save_model
from small import SMALL, small_model

NAMES = ("grasper", "snare", "thread")
SEMANTIC = SemanticConfig(NAMES, bank="orthogonal", width=8)
ROWS, GRID = 2, 4


@pytest.fixture(scope="module")
def named() -> SAM2S:
    model = small_model(config=replace(SMALL, semantic=SEMANTIC)).requires_grad_(False)
    model.mask_decoder.object_head.last.bias.fill_(5.0)
    return model


@pytest.fixture(scope="module")
def plain() -> SAM2S:
    model = small_model().requires_grad_(False)
    model.mask_decoder.object_head.last.bias.fill_(5.0)
    return model


def frames(model: SAM2S, seed: int = 1) -> Features:
    generator = torch.Generator().manual_seed(seed)
    return model.encode(torch.randn(ROWS, 3, 64, 64, generator=generator))


def memories(seed: int = 2) -> MemoryBatch:
    """Two maps and two pointers a row, all in use."""
    generator = torch.Generator().manual_seed(seed)
    return MemoryBatch(
        maps=torch.randn(ROWS, 2, SMALL.memory_dim, GRID, GRID, generator=generator),
        slots=torch.tensor([[6, 0]] * ROWS),
        map_mask=torch.ones(ROWS, 2, dtype=torch.bool),
        pointers=torch.randn(ROWS, 2, SMALL.dim, generator=generator),
        ages=torch.tensor([[5.0, 1.0]] * ROWS),
        pointer_mask=torch.ones(ROWS, 2, dtype=torch.bool),
    )


def decode(model: SAM2S, features: Features, memory: MemoryBatch | None) -> Decoded:
    return model.decode(model.recall(features, memory), PromptBatch.none(ROWS))


# --------------------------------------------------------------------------- without it


def test_the_same_seed_gives_all_other_weights_the_same_values(plain: SAM2S, named: SAM2S):
    own, grown = plain.state_dict(), named.state_dict()
    assert sorted(grown.keys() - own.keys()) == [
        "semantic_head.projection.bias",
        "semantic_head.projection.weight",
        "semantic_head.text_embed",
        "semantic_head.token",
    ]
    assert all(torch.equal(own[name], grown[name]) for name in own)


@pytest.mark.parametrize("memory", [None, memories()])
def test_without_semantics_there_is_no_token_anywhere(plain: SAM2S, memory: MemoryBatch | None):
    recalled = plain.recall(frames(plain), memory)
    decoded = plain.decode(recalled, PromptBatch.none(ROWS))
    assert plain.semantic_head is None
    assert recalled.semantic is None
    assert decoded.semantic is None
    assert plain.adopt(frames(plain), torch.ones(ROWS, 64, 64)).semantic is None


def test_memory_attention_without_a_token_is_what_it_is_beside_a_head(plain: SAM2S, named: SAM2S):
    image = frames(plain).stride16
    ours, nothing = plain.memory_attention(image, memories())
    theirs, _ = named.memory_attention(image, memories())
    assert nothing is None
    assert torch.equal(ours, theirs)


# --------------------------------------------------------------------------- what the token sees


def test_it_attends_to_the_memory(named: SAM2S):
    features = frames(named)
    one, two = (decode(named, features, memories(seed)) for seed in (2, 3))
    assert one.semantic is not None
    assert two.semantic is not None
    assert one.semantic.shape == (ROWS, SMALL.dim)
    assert (one.semantic - two.semantic).abs().amax(dim=1).min() > 1e-4
    tokens = [named.recall(features, memories(seed)).semantic for seed in (2, 3)]
    assert tokens[0] is not None
    assert (tokens[0] - tokens[1]).abs().amax(dim=1).min() > 1e-4


def test_it_attends_to_the_frame(named: SAM2S):
    tokens = [named.recall(frames(named, seed), memories()).semantic for seed in (1, 5)]
    assert tokens[0] is not None
    assert (tokens[0] - tokens[1]).abs().max() > 1e-4
    first = [decode(named, frames(named, seed), None).semantic for seed in (1, 5)]
    assert first[0] is not None
    assert (first[0] - first[1]).abs().max() > 1e-4


def test_where_nothing_is_remembered_it_is_the_learnt_token(named: SAM2S):
    assert named.semantic_head is not None
    token = named.semantic_head.token
    for memory in (
        None,
        replace(
            memories(), map_mask=torch.zeros(2, 2).bool(), pointer_mask=torch.zeros(2, 2).bool()
        ),
    ):
        semantic = named.recall(frames(named), memory).semantic
        assert semantic is not None
        assert torch.equal(semantic, token.expand(ROWS, -1))
    half = torch.tensor([[True, True], [False, False]])
    mixed = named.recall(
        frames(named), replace(memories(), map_mask=half, pointer_mask=half)
    ).semantic
    full = named.recall(frames(named), memories()).semantic
    assert mixed is not None
    assert full is not None
    assert torch.allclose(mixed[0], full[0], atol=1e-5)
    assert torch.equal(mixed[1], token)


def test_masks_and_frame_see_the_token(named: SAM2S):
    features = frames(named)
    recalled = named.recall(features, memories())
    assert recalled.semantic is not None
    before = named.decode(recalled, PromptBatch.none(ROWS))
    after = named.decode(replace(recalled, semantic=recalled.semantic + 1), PromptBatch.none(ROWS))
    assert (before.candidate_logits - after.candidate_logits).abs().max() > 1e-4
    assert (before.pointer - after.pointer).abs().max() > 1e-4
    without, _ = named.memory_attention(features.stride16, memories())
    assert (recalled.stride16 - without).abs().max() > 1e-5


def test_it_carries_no_rope(named: SAM2S, monkeypatch: pytest.MonkeyPatch):
    """Its turn is that of no cell: rotated queries and keys leave it as it was."""
    turned = []
    rotate = attention.rotate

    def spy(tokens, rope, count):
        out = rotate(tokens, rope, count)
        turned.append(
            (tokens.shape[2], count, torch.equal(out[:, :, count:], tokens[:, :, count:]))
        )
        return out

    monkeypatch.setattr(attention, "rotate", spy)
    named.recall(frames(named), memories())
    cells, pointer_parts = GRID * GRID, 2 * SMALL.dim // SMALL.memory_dim
    queries_and_keys = [(cells + 1, cells)] * 3 + [(2 * cells + pointer_parts, 2 * cells)]
    assert [
        (length, count) for length, count, _ in turned
    ] == queries_and_keys * SMALL.memory_layers
    assert all(untouched for *_, untouched in turned)


# --------------------------------------------------------------------------- names


def test_a_cosine_scaled_by_100_then_softmax():
    head = SemanticHead(4, classes=NAMES, bank="text", width=3, seed=0)
    head.fill(torch.diag(torch.tensor([2.0, 3.0, 4.0])))
    with torch.no_grad():
        head.projection.weight.copy_(torch.eye(3, 4))
        head.projection.bias.zero_()
    token = torch.tensor([[0.3, 0.4, 0.0, 9.0]])
    logits = head.logits(token)
    assert torch.allclose(logits, LOGIT_SCALE * torch.tensor([[0.6, 0.8, 0.0]]), atol=1e-4)
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(head.logits(token), logits)


def test_classify_gives_probabilities(named: SAM2S):
    assert named.semantic_head is not None
    probs = named.semantic_head.classify(decode(named, frames(named), memories()))
    assert probs.shape == (ROWS, len(NAMES))
    assert torch.allclose(probs.sum(dim=1), torch.ones(ROWS))


def test_banks():
    bank = orthogonal_bank(5, 16, seed=3)
    assert torch.allclose(bank @ bank.T, torch.eye(5), atol=1e-6)
    assert torch.equal(bank, orthogonal_bank(5, 16, seed=3))
    assert not torch.equal(bank, orthogonal_bank(5, 16, seed=4))
    kinds = {
        k: SemanticHead(4, classes=NAMES, bank=k, width=8, seed=0)
        for k in ("text", "orthogonal", "learnable")
    }
    assert [k for k, head in kinds.items() if isinstance(head.text_embed, torch.nn.Parameter)] == [
        "learnable"
    ]
    assert {tuple(head.state_dict()["text_embed"].shape) for head in kinds.values()} == {(3, 8)}
    assert torch.isnan(kinds["text"].text_embed).all()


@pytest.mark.parametrize("bank", [torch.zeros(3, 7), torch.full((3, 8), torch.nan)])
def test_a_bank_that_does_not_fit(bank: torch.Tensor):
    with pytest.raises(InputError, match=r"expected finite numbers of shape \(3, 8\)"):
        SemanticHead(4, classes=NAMES, bank="text", width=8, seed=0).fill(bank)


@pytest.mark.parametrize(
    ("change", "named_in_error"),
    [
        ({"classes": ()}, "at least one"),
        ({"classes": ("a", "a")}, "different names"),
        ({"bank": "random"}, "expected one of text, orthogonal, learnable"),
        ({"bank": "text"}, "needs encoder"),
        ({"width": 2}, "width of as many channels"),
        ({"templates": ("a tool",)}, "each needs {} once"),
    ],
)
def test_senseless_configs(change: dict, named_in_error: str):
    with pytest.raises(InputError, match=named_in_error):
        replace(SEMANTIC, **change)


def test_json_round_trip_of_the_config():
    config = replace(SMALL, semantic=replace(SEMANTIC, templates=("a {}.", "the {}.")))
    values = json.loads(json.dumps(config.to_dict()))
    assert ModelConfig.from_dict(values) == config
    assert isinstance(config.to_dict()["semantic"]["classes"], list)
    with pytest.raises(WeightsError, match=r"unknown entries semantic\.colour"):
        ModelConfig.from_dict({**values, "semantic": {**values["semantic"], "colour": 1}})
    without = {key: value for key, value in SMALL.to_dict().items() if key != "semantic"}
    assert ModelConfig.from_dict(without) == SMALL


@pytest.mark.parametrize("bank", ["text", "learnable"])
def test_names_and_bank_travel_with_the_weights(tmp_path: Path, bank: str):
    semantic = SemanticConfig(NAMES, bank=bank, width=8, encoder="clip" if bank == "text" else None)
    model = small_model(config=replace(SMALL, semantic=semantic))
    assert model.semantic_head is not None
    model.semantic_head.fill(torch.randn(3, 8))
    loaded = load_model(save_model(model, tmp_path / "model"), device="cpu")
    assert loaded.semantic_head is not None
    assert loaded.semantic_head.classes == NAMES
    assert loaded.config == model.config
    assert torch.equal(loaded.semantic_head.text_embed, model.semantic_head.text_embed)


def test_an_empty_text_bank_cannot_be_saved(tmp_path: Path):
    model = small_model(
        config=replace(SMALL, semantic=SemanticConfig(NAMES, encoder="clip", width=8))
    )
    with pytest.raises(WeightsError, match=r"semantic_head\.text_embed: holds NaN"):
        save_model(model, tmp_path)


# --------------------------------------------------------------------------- rows and tracks


def test_rows_and_expansion_carry_the_token(named: SAM2S):
    recalled = named.recall(frames(named), memories())
    assert recalled.semantic is not None
    one = take_rows(recalled, [1])
    assert one.semantic is not None
    assert torch.equal(one.semantic, recalled.semantic[1:])
    wide = one.expand(3)
    assert wide.semantic is not None
    assert wide.semantic.shape == (3, SMALL.dim)


def test_tracks_name_every_object(named: SAM2S, plain: SAM2S):
    rng = torch.Generator().manual_seed(0)
    pictures = [
        torch.randint(0, 255, (48, 64, 3), generator=rng, dtype=torch.uint8).numpy()
        for _ in range(3)
    ]
    given = torch.zeros(48, 64, dtype=torch.bool)
    given[10:30, 10:30] = True
    prompts = {0: {1: Points([[20, 20]], [1]), 2: Mask(given.numpy())}}
    for result in Tracker(named).run(pictures, prompts):
        assert set(result.classes) == set(result.class_probs) == {1, 2}
        assert set(result.classes.values()) <= set(NAMES)
        assert all(1 / len(NAMES) <= p <= 1 for p in result.class_probs.values())
    for result in Tracker(plain).run(pictures, prompts):
        assert (result.classes, result.class_probs) == ({}, {})
