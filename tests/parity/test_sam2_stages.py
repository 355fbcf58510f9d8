"""Stage by stage, our modules against transformers' Sam2VideoModel with the same lively weights:
four sizes, fp32."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest
import torch
from torch import Tensor

from sam2_oracle import (
    TOLERANCE,
    Pair,
    balance_presence,
    build_pair,
    calibrate,
    difference,
    follow_meta,
    from_sequence,
    keep_float32,
    noise,
    some_features,
    to_sequence,
)
from sam2s.model.mask_decoder import STABILITY_THRESHOLD, stability
from sam2s.types import CONDITIONING_SLOT, Decoded, Features, MemoryBatch, PromptBatch, take_rows

ROWS = 6
SIZES = {"tiny": 256, "small": 128, "base_plus": 192, "large": 128}
"""Input size of each model: small ones, where windows do and do not need padding."""
TENS = 40.0
"""Mask logits must range over at least this much, or agreement would say little."""


@pytest.fixture(scope="module", params=SIZES)
def pair(request: pytest.FixtureRequest) -> Iterator[Pair]:
    with torch.inference_mode():
        pair = build_pair(request.param, SIZES[request.param])
        calibrate(pair, some_features(pair, ROWS), clicks(pair, 2))
        yield pair


@pytest.fixture(autouse=True)
def no_gradients() -> Iterator[None]:
    with torch.inference_mode():
        yield


def clicks(
    pair: Pair,
    points: int,
    *,
    rows: int = ROWS,
    labels: tuple[int, ...] = (1, 0),
    mask: bool = False,
):
    """The same number of points for each row, at random places, and maybe a mask to be
    corrected."""
    generator = torch.Generator().manual_seed(points)
    size = pair.ours.image_size
    coords = torch.rand(rows, points, 2, generator=generator) * size
    kinds = torch.tensor([labels[k % len(labels)] for k in range(points)], dtype=torch.long).expand(
        rows, points
    )
    logits = 5 * noise(rows, size // 4, size // 4, seed=points) if mask else None
    return PromptBatch(coords, kinds, logits)


# --------------------------------------------------------------------------- image


def test_image_features(pair: Pair):
    image = noise(2, 3, pair.ours.image_size, pair.ours.image_size, seed=3)
    ours = pair.ours.encode(image)
    theirs = pair.oracle.get_image_features(image, return_dict=True).fpn_hidden_states
    for name, level in zip(("stride4", "stride8", "stride16"), theirs, strict=True):
        mine = getattr(ours, name)
        assert difference(mine, from_sequence(level, mine.shape[2])) <= TOLERANCE, name
    assert ours.stride16.std() > 1


# --------------------------------------------------------------------------- prompts


def hf_points(prompts: PromptBatch) -> dict[str, Tensor]:
    """The points as transformers takes them: one prompt an image; no points are one empty point."""
    rows, points = prompts.labels.shape
    coords = prompts.coords if points else torch.zeros(rows, 1, 2)
    labels = prompts.labels if points else torch.full((rows, 1), -1)
    return {"input_points": coords[:, None], "input_labels": labels[:, None]}


def hf_mask(prompts: PromptBatch) -> Tensor | None:
    return None if prompts.mask_logits is None else prompts.mask_logits[:, None]


@pytest.mark.parametrize("mask", [False, True])
@pytest.mark.parametrize("labels", [(), (1,), (1, 0, 1), (2, 3), (2, 3, 1, 0)])
def test_prompt_embeddings(pair: Pair, labels: tuple[int, ...], mask: bool):
    prompts = clicks(pair, len(labels), labels=labels or (1,), mask=mask)
    tokens, dense = pair.ours.prompt_encoder(prompts, pair.ours.image_size)
    sparse, maps = pair.oracle.prompt_encoder(
        **hf_points(prompts), input_boxes=None, input_masks=hf_mask(prompts)
    )
    assert difference(tokens, sparse[:, 0]) <= TOLERANCE
    assert difference(dense.expand_as(maps), maps) <= TOLERANCE


def test_code_of_the_image_grid(pair: Pair):
    code = pair.ours.prompt_encoder.grid_code(pair.grid, pair.grid)
    theirs = pair.oracle.get_image_wide_positional_embeddings()
    assert difference(code, theirs.flatten(2).transpose(1, 2)) <= TOLERANCE


# --------------------------------------------------------------------------- masks


def hf_decode(pair: Pair, features: Features, prompts: PromptBatch, *, multimask: bool):
    """transformers' answer for one row: its choice of a candidate mixes the rows of a batch."""
    return pair.oracle._single_frame_forward(
        **hf_points(prompts),
        input_masks=hf_mask(prompts),
        image_embeddings=[features.stride4, features.stride8, features.stride16],
        multimask_output=multimask,
    )


@pytest.mark.parametrize(
    ("points", "mask"), [(0, False), (1, False), (1, True), (2, False), (3, True)]
)
def test_masks_ious_presence_and_pointers(pair: Pair, points: int, mask: bool):
    """Up to one point: three candidates. More: one, with the fallback where it is unstable. Absent
    rows are gated."""
    features, prompts = some_features(pair, ROWS), clicks(pair, points, mask=mask)
    ours = pair.ours.decode(features, prompts)
    theirs = [
        hf_decode(
            pair, take_rows(features, [row]), take_rows(prompts, [row]), multimask=points <= 1
        )
        for row in range(ROWS)
    ]
    for row in range(
        ROWS
    ):  # each on its own: beside the logits of an absent row every difference would look small
        assert difference(ours.mask_logits[row], theirs[row].pred_masks[0, 0]) <= TOLERANCE
        assert difference(ours.pointer[row], theirs[row].object_pointer[0, 0]) <= TOLERANCE
    assert (
        difference(ours.candidate_ious, torch.cat([t.iou_scores[0] for t in theirs])) <= TOLERANCE
    )
    assert (
        difference(ours.object_logits, torch.cat([t.object_score_logits[0, 0] for t in theirs]))
        <= TOLERANCE
    )
    assert ours.candidate_logits.shape[1] == (3 if points <= 1 else 1)


@pytest.mark.parametrize(("points", "multimask"), [(0, True), (2, False)])
def test_every_candidate_before_gating(pair: Pair, points: int, multimask: bool):
    """The candidates themselves, so that agreement does not hang on which of them wins."""
    features, prompts = some_features(pair, ROWS), clicks(pair, points)
    tokens, dense = pair.ours.prompt_encoder(prompts, pair.ours.image_size)
    code = pair.ours.prompt_encoder.grid_code(pair.grid, pair.grid)
    candidates, _ = pair.ours.mask_decoder(features, tokens, dense, code)
    ours = candidates.ambiguous() if multimask else candidates.single_or_best()
    masks, ious, sam_tokens, _ = pair.oracle.mask_decoder(
        image_embeddings=features.stride16,
        image_positional_embeddings=pair.oracle.get_image_wide_positional_embeddings().repeat(
            ROWS, 1, 1, 1
        ),
        sparse_prompt_embeddings=tokens[:, None],
        dense_prompt_embeddings=dense.expand_as(features.stride16),
        multimask_output=multimask,
        high_resolution_features=[features.stride4, features.stride8],
    )
    assert difference(ours.logits, masks[:, 0]) <= TOLERANCE
    assert difference(ours.ious, ious[:, 0]) <= TOLERANCE
    assert difference(ours.tokens, sam_tokens[:, 0]) <= TOLERANCE


def test_these_weights_reach_every_branch(pair: Pair):
    """What the tests above stand on: logits that span tens, both sides of every choice, and no
    choice by a hair."""
    features, prompts = some_features(pair, ROWS), clicks(pair, 2)
    tokens, dense = pair.ours.prompt_encoder(prompts, pair.ours.image_size)
    code = pair.ours.prompt_encoder.grid_code(pair.grid, pair.grid)
    candidates, object_logits = pair.ours.mask_decoder(features, tokens, dense, code)
    many, stable = candidates.ambiguous(), stability(candidates.logits[:, 0])
    assert many.logits.max() - many.logits.min() > TENS
    assert 0 < (object_logits > 0).sum() < ROWS
    assert 0 < (stable >= STABILITY_THRESHOLD).sum() < ROWS
    best = many.ious.sort(dim=1).values
    assert (best[:, -1] - best[:, -2]).min() > 1e-4
    assert object_logits.abs().min() > 1e-3
    assert len(set(many.ious.argmax(dim=1).tolist())) > 1


# --------------------------------------------------------------------------- a given mask


@pytest.fixture
def masks(pair: Pair) -> Iterator[Tensor]:
    """Blobs, the last one empty; (ROWS, S, S) in {0, 1}. The decoder sees the object in half of
    them."""
    coarse = noise(ROWS, 1, 8, 8, seed=5)
    blobs = (
        torch.nn.functional.interpolate(coarse, pair.ours.image_size, mode="bicubic")[:, 0] > 0.3
    ).float()
    blobs[-1] = 0
    bias = pair.ours.mask_decoder.object_head.last.bias
    before = bias.clone()
    dense = pair.ours.given_mask_proj(blobs[:, None])[:, 0]
    balance_presence(
        pair, some_features(pair, ROWS), replace(PromptBatch.none(ROWS), mask_logits=dense)
    )
    yield blobs
    bias.copy_(before)


def hf_adopt(pair: Pair, features: Features, mask: Tensor):
    """transformers' answer for one row: with more, its pointers would mix."""
    return pair.oracle._use_mask_as_output(
        features.stride16, [features.stride4, features.stride8], mask[None, None]
    )


def test_a_given_mask(pair: Pair, masks: Tensor, monkeypatch: pytest.MonkeyPatch):
    """Meta takes the pointer of the single candidate; transformers does once it is told to."""
    follow_meta(monkeypatch, pair.oracle)
    features = some_features(pair, ROWS)
    ours = pair.ours.adopt(features, masks)
    assert ours.input_logits is not None
    for row in range(ROWS):
        theirs = hf_adopt(pair, take_rows(features, [row]), masks[row])
        assert difference(ours.mask_logits[row], theirs.pred_masks[0, 0]) <= TOLERANCE
        assert difference(ours.input_logits[row], theirs.high_res_masks[0, 0]) <= TOLERANCE
        assert difference(ours.pointer[row], theirs.object_pointer[0, 0]) <= TOLERANCE
        assert ours.object_logits[row] == theirs.object_score_logits.item()
        assert ours.iou[row] == theirs.iou_scores.item()


def test_a_given_mask_follows_meta_where_transformers_differs(pair: Pair, masks: Tensor):
    """transformers' own pointer is that of the best of three candidates: another one wherever the
    object is seen."""
    features = some_features(pair, ROWS)
    ours = pair.ours.adopt(features, masks)
    pointers = [
        hf_adopt(pair, take_rows(features, [row]), masks[row]).object_pointer[0, 0]
        for row in range(ROWS)
    ]
    differs = [
        difference(ours.pointer[row], pointer) > 0.01 for row, pointer in enumerate(pointers)
    ]
    absent = (ours.pointer == pair.ours.no_object_pointer).all(dim=1)
    assert differs == (~absent).tolist()
    assert 0 < sum(differs) < ROWS


# --------------------------------------------------------------------------- writing memory


def decoded_of(logits: Tensor, object_logits: Tensor, *, given: bool) -> Decoded:
    """A ``Decoded`` of which ``memorize`` reads the mask and the presence."""
    rows, blank = len(logits), torch.zeros(len(logits))
    return Decoded(
        mask_logits=torch.zeros(rows, 1, 1) if given else logits,
        iou=blank,
        object_logits=object_logits,
        pointer=blank[:, None],
        candidate_logits=logits[:, None],
        candidate_ious=blank[:, None],
        chosen=blank.long(),
        input_logits=logits if given else None,
    )


@pytest.mark.parametrize("binarize", [False, True])
@pytest.mark.parametrize("given", [False, True])
def test_memory_maps(pair: Pair, given: bool, binarize: bool, monkeypatch: pytest.MonkeyPatch):
    keep_float32(monkeypatch)
    size = pair.ours.image_size
    features = some_features(pair, ROWS)
    logits = 3 * noise(ROWS, *[size if given else size // 4] * 2, seed=9)
    presence = noise(ROWS, seed=4)
    decoded = decoded_of(logits, presence, given=given)
    ours = pair.ours.memorize(features, decoded, binarize=torch.full((ROWS,), binarize))
    full = torch.nn.functional.interpolate(
        logits[:, None], (size, size), mode="bilinear", align_corners=False
    )
    theirs, _ = pair.oracle._encode_new_memory(
        current_vision_feats=to_sequence(features.stride16),
        pred_masks_high_res=full,
        object_score_logits=presence[:, None, None],
        is_mask_from_pts=binarize,
    )
    assert difference(ours, from_sequence(theirs, pair.grid)) <= TOLERANCE
    assert 0 < (presence > 0).sum() < ROWS


# --------------------------------------------------------------------------- reading memory

AGES = (-4, 0, 1, 2, 3, 9, 40)
"""Signed ages of pointers; a prompted frame may lie ahead or far behind."""


def memories(pair: Pair, maps: int, pointers: int, rows: int) -> MemoryBatch:
    """Everything in use: the conditioning slot first, then tracked frames from the oldest on."""
    config, side = pair.ours.config, pair.grid
    slots = [CONDITIONING_SLOT, *range(CONDITIONING_SLOT - 1, -1, -1), CONDITIONING_SLOT]
    return MemoryBatch(
        maps=noise(rows, maps, config.memory_dim, side, side, seed=6),
        slots=torch.tensor(slots[:maps]).expand(rows, maps),
        map_mask=torch.ones(rows, maps, dtype=torch.bool),
        pointers=noise(rows, pointers, config.dim, seed=7),
        ages=torch.tensor(AGES[:pointers], dtype=torch.float32).expand(rows, pointers),
        pointer_mask=torch.ones(rows, pointers, dtype=torch.bool),
    )


def hf_recall(pair: Pair, features: Features, memory: MemoryBatch) -> Tensor:
    """transformers' conditioning of one row on what the row has in use."""
    oracle, side = pair.oracle, pair.grid
    used, seen = memory.map_mask[0], memory.pointer_mask[0]
    if not used.any():
        return from_sequence(to_sequence(features.stride16) + oracle.no_memory_embedding, side)
    maps = memory.maps[0][used]
    place = oracle.memory_encoder.position_encoding(maps[:1].shape, maps.device, maps.dtype)
    # Its table is reached by offset - 1: a tracked frame's age, and 0 for prompted frames.
    offsets = [
        0 if slot == CONDITIONING_SLOT else slot + 1 for slot in memory.slots[0][used].tolist()
    ]
    kept = [
        {"maskmem_features": to_sequence(m[None]), "maskmem_pos_enc": to_sequence(place)}
        for m in maps
    ]
    values, codes = oracle._build_memory_attention_inputs(
        list(zip(offsets, kept, strict=True)), maps.device
    )
    pointers = [p[None] for p in memory.pointers[0][seen]]
    tokens, ages = oracle._process_object_pointers(
        memory.ages[0][seen].int().tolist(), pointers, 16, 1, pair.ours.config.dim, maps.device
    )
    if tokens is not None:
        values, codes = [*values, tokens], [*codes, ages]
    neck = oracle.vision_encoder.neck
    grid = neck.position_encoding(features.stride16.shape, maps.device, maps.dtype)
    out = oracle.memory_attention(
        current_vision_features=to_sequence(features.stride16),
        current_vision_position_embeddings=to_sequence(grid),
        memory=torch.cat(values),
        memory_posision_embeddings=torch.cat(codes),
        num_object_pointer_tokens=0 if tokens is None else tokens.shape[0],
    )
    return out.squeeze(1).transpose(1, 2).unflatten(2, (side, side))


@pytest.mark.parametrize(("maps", "pointers"), [(1, 1), (7, 7), (8, 3)])
def test_memory_attention_with_everything_in_use(pair: Pair, maps: int, pointers: int):
    features, memory = some_features(pair, 2), memories(pair, maps, pointers, 2)
    ours = pair.ours.recall(features, memory).stride16
    for row in range(2):
        theirs = hf_recall(pair, take_rows(features, [row]), take_rows(memory, [row]))
        assert difference(ours[row], theirs[0]) <= TOLERANCE


def test_memory_attention_with_rows_that_remember_unequally(pair: Pair):
    """Slots that are not in use hold rubbish here, and no row may notice; the last row remembers
    nothing."""
    features, memory = some_features(pair, 4), memories(pair, 7, 7, 4)
    memory.map_mask[:] = torch.tensor(
        [[1] * 7, [1, 0, 0, 0, 0, 0, 1], [0, 0, 1, 1, 0, 0, 0], [0] * 7]
    ).bool()
    memory.pointer_mask[:] = torch.tensor([[1] * 7, [1, 0, 0, 0, 0, 0, 0], [0] * 7, [0] * 7]).bool()
    memory.maps[~memory.map_mask] = 1e4
    memory.pointers[~memory.pointer_mask] = 1e4
    ours = pair.ours.recall(features, memory).stride16
    for row in range(4):
        theirs = hf_recall(pair, take_rows(features, [row]), take_rows(memory, [row]))
        assert difference(ours[row], theirs[0]) <= TOLERANCE


def test_a_first_frame(pair: Pair):
    features = some_features(pair, 2)
    theirs = from_sequence(
        to_sequence(features.stride16) + pair.oracle.no_memory_embedding, pair.grid
    )
    assert difference(pair.ours.recall(features, None).stride16, theirs) <= TOLERANCE
