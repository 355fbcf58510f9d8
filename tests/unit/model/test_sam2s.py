from __future__ import annotations

from copy import deepcopy
from dataclasses import fields, replace

import pytest
import torch
from torch import Tensor, nn

from sam2s.errors import InputError
from sam2s.model.presets import preset
from sam2s.model.sam2s import ABSENT_LOGIT, SAM2S, build_model
from sam2s.types import (
    CONDITIONING_SLOT,
    LONG_TERM_SLOT,
    Decoded,
    Features,
    MemoryBatch,
    PromptBatch,
    take_rows,
)

SIZE = 64
GRID = SIZE // 16


@pytest.fixture(scope="module")
def pristine() -> SAM2S:
    torch.manual_seed(0)
    return build_model(preset("nano", image_size=SIZE))


@pytest.fixture
def model(pristine: SAM2S) -> SAM2S:
    """A copy that a test may change."""
    torch.manual_seed(1)
    return deepcopy(pristine)


def frame(model: SAM2S, rows: int, size: int = SIZE) -> Features:
    return model.encode(torch.randn(1, 3, size, size)).expand(rows)


def memory(
    model: SAM2S, rows: int, maps: int = 3, pointers: int = 2, grid: int = GRID
) -> MemoryBatch:
    config = model.config
    return MemoryBatch(
        maps=torch.randn(rows, maps, config.memory_dim, grid, grid),
        slots=torch.arange(maps).expand(rows, maps).clone(),
        map_mask=torch.ones(rows, maps, dtype=torch.bool),
        pointers=torch.randn(rows, pointers, config.dim),
        ages=torch.arange(1.0, pointers + 1).expand(rows, pointers).clone(),
        pointer_mask=torch.ones(rows, pointers, dtype=torch.bool),
    )


def clicks(rows: int, points: int, mask: Tensor | None = None) -> PromptBatch:
    return PromptBatch(
        torch.rand(rows, points, 2) * SIZE, torch.ones(rows, points, dtype=torch.long), mask
    )


def no_binarize(rows: int) -> Tensor:
    return torch.zeros(rows, dtype=torch.bool)


def set_presence(model: SAM2S, logit: float) -> None:
    """Let the decoder say the same of every row."""
    last = model.mask_decoder.object_head.last
    with torch.no_grad():
        last.weight.zero_()
        last.bias.fill_(logit)


# ---------------------------------------- shapes, sizes, precision


@pytest.mark.parametrize("rows", [1, 3])
@pytest.mark.parametrize("size", [32, 96, 160, 256])
def test_shapes_at_any_size_divisible_by_32(model: SAM2S, rows: int, size: int):
    grid, dim = size // 16, model.config.dim
    features = frame(model, rows, size)
    recalled = model.recall(features, memory(model, rows, grid=grid))
    decoded = model.decode(recalled, PromptBatch.none(rows))
    adopted = model.adopt(features, torch.ones(rows, size, size))
    assert features.stride16.shape == recalled.stride16.shape == (rows, dim, grid, grid)
    assert features.stride8.shape == (rows, dim // 4, 2 * grid, 2 * grid)
    assert features.stride4.shape == (rows, dim // 8, 4 * grid, 4 * grid)
    for answer, candidates in ((decoded, 3), (adopted, 1)):
        assert answer.mask_logits.shape == (rows, 4 * grid, 4 * grid)
        assert answer.candidate_logits.shape == (rows, candidates, 4 * grid, 4 * grid)
        assert answer.candidate_ious.shape == (rows, candidates)
        assert answer.iou.shape == answer.object_logits.shape == answer.chosen.shape == (rows,)
        assert answer.pointer.shape == (rows, dim)
        maps = model.memorize(features, answer, binarize=no_binarize(rows))
        assert maps.shape == (rows, model.config.memory_dim, grid, grid)
        assert torch.isfinite(maps).all()


@pytest.mark.parametrize(
    "shape", [(1, 3, 64, 96), (1, 3, 80, 80), (1, 1, 64, 64), (3, 64, 64), (1, 3, 0, 0)]
)
def test_encode_refuses_other_shapes(model: SAM2S, shape: tuple[int, ...]):
    with pytest.raises(InputError, match=r"multiple of 32; resize it first"):
        model.encode(torch.zeros(shape))


def test_adopt_refuses_a_mask_of_another_size(model: SAM2S):
    with pytest.raises(InputError, match=r"expected \(64, 64\)"):
        model.adopt(frame(model, 1), torch.ones(1, 32, 32))


def test_bfloat16_gives_float32_logits(model: SAM2S):
    set_presence(model, 1.0)
    with torch.autocast("cpu", torch.bfloat16), torch.no_grad():
        low = model.decode(model.recall(frame(model, 2), memory(model, 2)), clicks(2, 3))
        maps = model.memorize(frame(model, 2), low, binarize=no_binarize(2))
    assert low.mask_logits.dtype == low.iou.dtype == low.object_logits.dtype == torch.float32
    assert torch.isfinite(maps).all()


# --------------------------------------------------------------------------- training


def test_gradients_reach_every_parameter(model: SAM2S):
    set_presence(model, 1.0)
    model.mask_decoder.object_head.last.weight.data.normal_(std=1e-3)
    features = frame(model, 2)
    long_term = replace(memory(model, 2, maps=8), slots=torch.arange(8).expand(2, 8))
    loss = _sum(model.decode(model.recall(features, None), clicks(2, 0)))
    for prompts in (
        clicks(2, 3, torch.randn(2, 16, 16)),
        PromptBatch(torch.rand(2, 4, 2), torch.arange(4).expand(2, 4)),
    ):
        loss = loss + _sum(model.decode(model.recall(features, long_term), prompts, fallback=False))
    absent = replace(
        model.adopt(features, torch.ones(2, SIZE, SIZE)), object_logits=torch.tensor([-1.0, 1.0])
    )
    loss = (
        loss
        + _sum(absent)
        + model.memorize(features, absent, binarize=no_binarize(2)).square().sum()
    )
    loss = loss + model.adopt(features, torch.zeros(2, SIZE, SIZE)).pointer.square().sum()
    loss.backward()
    without = [
        name for name, p in model.named_parameters() if p.grad is None or not p.grad.abs().sum() > 0
    ]
    assert without == []


def _sum(decoded: Decoded) -> Tensor:
    """A scalar to which every field contributes unevenly."""
    parts = [
        decoded.candidate_logits,
        decoded.candidate_ious,
        decoded.object_logits,
        decoded.pointer,
    ]
    return sum(
        (p * torch.linspace(0.5, 1.5, p.numel()).view(p.shape)).square().sum() for p in parts
    )


def test_a_new_model_sees_every_object():
    """Masks of absent objects get no gradient, so a model must not start by calling everything
    absent."""
    torch.manual_seed(3)
    model = build_model(preset("nano", image_size=SIZE))
    decoded = model.decode(model.recall(frame(model, 8), memory(model, 8)), clicks(8, 1))
    assert (decoded.object_logits > 0).all()
    assert decoded.mask_logits.std() > 0.1


def test_training_mode_changes_nothing_without_dropout(model: SAM2S):
    features, recalled, prompts = frame(model, 2), memory(model, 2), clicks(2, 2)
    for fallback in (True, False):
        training = model.train().decode(
            model.recall(features, recalled), prompts, fallback=fallback
        )
        evaluating = model.eval().decode(
            model.recall(features, recalled), prompts, fallback=fallback
        )
        assert torch.equal(training.mask_logits, evaluating.mask_logits)


def test_dropout_and_stochastic_depth_are_alive_in_training():
    torch.manual_seed(0)
    model = build_model(preset("nano", image_size=SIZE, dropout=0.3, drop_path=0.5))
    image = torch.randn(1, 3, SIZE, SIZE)
    assert not torch.equal(model.encode(image).stride16, model.encode(image).stride16)
    features, recalled = frame(model, 1), memory(model, 1)
    assert not torch.equal(
        model.recall(features, recalled).stride16, model.recall(features, recalled).stride16
    )
    model.eval()
    assert torch.equal(model.encode(image).stride16, model.encode(image).stride16)
    assert torch.equal(
        model.recall(features, recalled).stride16, model.recall(features, recalled).stride16
    )


def test_training_works_after_inference(model: SAM2S):
    """Codes are cached; a cache filled in inference mode must not break the next backward pass."""
    with torch.inference_mode():
        model.decode(model.recall(frame(model, 1, 224), memory(model, 1, grid=14)), clicks(1, 1))
    decoded = model.decode(
        model.recall(frame(model, 1, 224), memory(model, 1, grid=14)), clicks(1, 1)
    )
    decoded.candidate_logits.sum().backward()


def test_nothing_on_a_module_changes_after_construction(model: SAM2S):
    def attributes() -> dict[str, object]:
        own = ("_parameters", "_buffers", "_modules")
        return {
            f"{name}.{key}": value
            for name, module in model.named_modules()
            for key, value in vars(module).items()
            if key not in own
        }

    tensors = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    before = attributes()
    features = frame(model, 2, 96)
    decoded = model.decode(model.recall(features, memory(model, 2, grid=6)), clicks(2, 1))
    model.memorize(features, decoded, binarize=no_binarize(2))
    model.adopt(features, torch.ones(2, 96, 96))
    assert attributes() == before
    assert all(torch.equal(tensors[name], tensor) for name, tensor in model.state_dict().items())


# --------------------------------------------------------------------------- rows


def test_a_row_does_not_depend_on_its_neighbours(model: SAM2S):
    model.eval()
    features = take_rows(model.encode(torch.randn(3, 3, SIZE, SIZE)), [0, 1, 2])
    recalled, prompts = memory(model, 3), clicks(3, 2)
    recalled.map_mask[1, 1:] = False
    recalled.map_mask[2] = False
    recalled.pointer_mask[2] = False
    together = model.decode(model.recall(features, recalled), prompts)
    maps = model.memorize(features, together, binarize=torch.tensor([True, False, False]))
    for row in range(3):
        one = model.recall(take_rows(features, [row]), take_rows(recalled, [row]))
        alone = model.decode(one, take_rows(prompts, [row]))
        for spec in fields(Decoded):
            mine, theirs = getattr(together, spec.name), getattr(alone, spec.name)
            assert mine is theirs is None or torch.allclose(mine[row], theirs[0], atol=1e-4), (
                spec.name
            )
        single = model.memorize(
            take_rows(features, [row]), alone, binarize=torch.tensor([row == 0])
        )
        assert torch.allclose(maps[row], single[0], atol=1e-4)


# --------------------------------------------------------------------------- recall


def test_first_frames_get_the_no_memory_embedding(model: SAM2S):
    features, empty = frame(model, 2), memory(model, 2)
    expected = features.stride16 + model.memory_attention.no_memory.view(1, -1, 1, 1)
    empty.map_mask[:] = False
    empty.pointer_mask[:] = False
    for nothing in (None, empty):
        recalled = model.recall(features, nothing)
        assert torch.equal(recalled.stride16, expected)
        assert recalled.stride4 is features.stride4
        assert recalled.stride8 is features.stride8


def test_a_row_without_memory_among_others(model: SAM2S):
    """No NaN from a softmax over nothing, neither forward nor backward."""
    features, some = frame(model, 2), memory(model, 2)
    some.map_mask[0] = False
    some.pointer_mask[0] = False
    maps = some.maps.requires_grad_()
    recalled = model.recall(features, some).stride16
    expected = features.stride16[0] + model.memory_attention.no_memory.view(-1, 1, 1)
    assert torch.equal(recalled[0], expected)
    assert not torch.allclose(recalled[1], expected, atol=0.1)
    # Not the plain sum, which a layer norm keeps constant.
    (recalled * torch.randn_like(recalled)).sum().backward()
    assert maps.grad is not None
    assert torch.isfinite(maps.grad).all()
    assert not maps.grad[0].any()
    assert maps.grad[1].any()
    assert all(torch.isfinite(p.grad).all() for p in model.parameters() if p.grad is not None)


def test_only_pointers_are_a_memory_as_well(model: SAM2S):
    features, some = frame(model, 1), memory(model, 1)
    some.map_mask[:] = False
    recalled = model.recall(features, some).stride16
    assert not torch.equal(recalled, model.recall(features, None).stride16)
    assert torch.isfinite(recalled).all()


def test_what_is_not_in_use_does_not_count(model: SAM2S):
    model.eval()
    features, full = frame(model, 1), memory(model, 1, maps=4, pointers=3)
    tensors = {spec.name: getattr(full, spec.name) for spec in fields(MemoryBatch)}
    part = replace(full, **{n: t[:, :2] for n, t in tensors.items() if isinstance(t, Tensor)})
    part = replace(part, full=True)
    full.map_mask[:, 2:] = False
    full.pointer_mask[:, 2:] = False
    full.maps[:, 2:] = 1e6
    full.pointers[:, 2:] = -1e6
    assert torch.allclose(
        model.recall(features, full).stride16, model.recall(features, part).stride16, atol=1e-5
    )


def recall_in_slot(model: SAM2S, slot: int) -> Tensor:
    torch.manual_seed(2)
    features, some = frame(model, 1), memory(model, 1, maps=1)
    return model.recall(features, replace(some, slots=torch.tensor([[slot]]))).stride16


def test_long_term_memories_have_their_own_embedding_where_the_model_has_one(model: SAM2S):
    model.memory_attention.slot_embed.data.normal_()
    assert model.memory_attention.slot_embed.shape[0] == LONG_TERM_SLOT + 1
    assert not torch.allclose(
        recall_in_slot(model, LONG_TERM_SLOT), recall_in_slot(model, CONDITIONING_SLOT), atol=1e-3
    )


def test_long_term_memories_take_the_conditioning_slot_elsewhere():
    torch.manual_seed(0)
    model = build_model(preset("nano", image_size=SIZE, long_term_embedding=False))
    model.memory_attention.slot_embed.data.normal_()
    assert model.memory_attention.slot_embed.shape[0] == CONDITIONING_SLOT + 1
    assert torch.equal(
        recall_in_slot(model, LONG_TERM_SLOT), recall_in_slot(model, CONDITIONING_SLOT)
    )
    assert not torch.allclose(
        recall_in_slot(model, 0), recall_in_slot(model, CONDITIONING_SLOT), atol=1e-3
    )


def test_ages_of_pointers_are_signed(model: SAM2S):
    features, some = frame(model, 1), memory(model, 1)
    before = model.recall(features, some).stride16
    after = model.recall(features, replace(some, ages=-some.ages)).stride16
    assert not torch.allclose(before, after, atol=1e-5)


# --------------------------------------------------------------------------- decode


@pytest.mark.parametrize(("points", "candidates"), [(0, 3), (1, 3), (2, 1), (5, 1)])
def test_three_candidates_up_to_one_point(model: SAM2S, points: int, candidates: int):
    decoded = model.decode(frame(model, 2), clicks(2, points))
    assert decoded.candidate_ious.shape == (2, candidates)
    best = decoded.candidate_ious.argmax(dim=1)
    assert torch.equal(decoded.chosen, best)
    for row in range(2):
        assert torch.equal(decoded.mask_logits[row], decoded.candidate_logits[row, best[row]])
        assert torch.equal(decoded.iou[row], decoded.candidate_ious[row, best[row]])


@pytest.mark.parametrize(("threshold", "gives_way"), [(0.0, False), (2.0, True)])
def test_the_config_says_when_the_single_candidate_gives_way(
    model: SAM2S, threshold: float, gives_way: bool
):
    model.config = replace(model.config, stability_threshold=threshold)
    features = model.recall(frame(model, 2), None)
    two = PromptBatch(torch.rand(2, 2, 2) * SIZE, torch.ones(2, 2, dtype=torch.long))
    single, given = model.decode(features, two, fallback=False), model.decode(features, two)
    assert torch.equal(given.mask_logits, single.mask_logits) != gives_way


def test_absent_objects_have_no_mask_and_the_no_object_pointer(model: SAM2S):
    set_presence(model, -0.1)
    for points in (0, 3):
        decoded = model.decode(frame(model, 2), clicks(2, points))
        assert (decoded.candidate_logits == ABSENT_LOGIT).all()
        assert (decoded.mask_logits == ABSENT_LOGIT).all()
        assert (decoded.pointer == model.no_object_pointer).all()
        assert decoded.object_logits.tolist() == pytest.approx([-0.1, -0.1])


def test_fallback_takes_mask_and_iou_but_not_the_token(model: SAM2S):
    """An unstable single mask gives way to the best of three; with ``fallback=False`` (training) it
    stays."""
    set_presence(model, 1.0)
    model.config = replace(model.config, stability_threshold=0.98)  # nano has none
    head = model.mask_decoder.mask_heads[0].last
    head.weight.data *= 1e-4  # tiny logits: unstable
    head.bias.data.zero_()
    features, prompts = frame(model, 2), clicks(2, 3)
    kept = model.decode(features, prompts, fallback=False)
    fallen = model.decode(features, prompts)
    assert kept.mask_logits.abs().max() < 0.01 < fallen.mask_logits.abs().max()
    assert torch.equal(kept.pointer, fallen.pointer)
    assert not torch.equal(kept.iou, fallen.iou)


def test_prompts_matter(model: SAM2S):
    """Place, label, a mask to be corrected: each moves the answer."""
    set_presence(model, 1.0)
    features, prompts = frame(model, 1), clicks(1, 2)
    answers = [
        model.decode(features, p).mask_logits
        for p in (
            prompts,
            replace(prompts, coords=prompts.coords + 20),
            replace(prompts, labels=1 - prompts.labels),
            replace(prompts, mask_logits=torch.randn(1, 16, 16)),
            PromptBatch.none(1),
        )
    ]
    for i, one in enumerate(answers):
        assert all(not torch.allclose(one, other, atol=1e-3) for other in answers[:i])


# --------------------------------------------------------------------------- adopt


def test_a_given_mask_is_the_answer(model: SAM2S):
    set_presence(model, 1.0)
    masks = torch.zeros(2, SIZE, SIZE)
    masks[0, 16:48, 8:40] = 1
    adopted = model.adopt(frame(model, 2), masks)
    assert adopted.input_logits is not None
    assert torch.equal(adopted.input_logits, 20 * masks - 10)
    assert torch.equal(adopted.mask_logits[0] > 0, masks[0, ::4, ::4] > 0)
    assert adopted.mask_logits[0, 8, 6].item() == pytest.approx(10)
    assert (adopted.mask_logits[1] + 10).abs().max() < 1e-5
    assert adopted.iou.tolist() == [1, 1]
    assert adopted.object_logits.tolist() == [10, -10]
    assert torch.equal(adopted.pointer[1], model.no_object_pointer)
    assert not torch.equal(adopted.pointer[0], model.no_object_pointer)


def test_a_given_mask_that_the_decoder_does_not_see_has_no_pointer(model: SAM2S):
    """As in SAM 2: presence comes from the mask, but its pointer passes the decoder's gate as
    well."""
    set_presence(model, -1.0)
    adopted = model.adopt(frame(model, 1), torch.ones(1, SIZE, SIZE))
    assert adopted.object_logits.tolist() == [10]
    assert torch.equal(adopted.pointer[0], model.no_object_pointer)


# --------------------------------------------------------------------------- memorize


@pytest.fixture
def seen_masks(model: SAM2S, monkeypatch: pytest.MonkeyPatch) -> list[Tensor]:
    """What the memory encoder is shown."""
    shown: list[Tensor] = []
    forward = model.memory_encoder.forward

    def spy(image: Tensor, mask: Tensor) -> Tensor:
        shown.append(mask)
        return forward(image, mask)

    monkeypatch.setattr(model.memory_encoder, "forward", spy)
    return shown


def some_answer(model: SAM2S, features: Features, rows: int) -> Decoded:
    decoded = model.decode(features, PromptBatch.none(rows))
    return replace(
        decoded,
        mask_logits=3 * torch.randn(rows, 4 * GRID, 4 * GRID),
        object_logits=torch.ones(rows),
    )


def test_masks_are_scaled_and_made_hard_row_by_row(model: SAM2S, seen_masks: list[Tensor]):
    features = frame(model, 2)
    answer = some_answer(model, features, 2)
    model.memorize(features, answer, binarize=torch.tensor([True, False]))
    full = nn.functional.interpolate(answer.mask_logits[:, None], SIZE, mode="bilinear")[:, 0]
    assert torch.equal(seen_masks[0][0], torch.where(full[0] > 0, 10.0, -10.0))
    assert torch.allclose(seen_masks[0][1], 20 * full[1].sigmoid() - 10)


def test_a_given_mask_is_remembered_at_full_size(model: SAM2S, seen_masks: list[Tensor]):
    features = frame(model, 1)
    mask = (torch.rand(1, SIZE, SIZE) > 0.5).float()
    model.memorize(features, model.adopt(features, mask), binarize=no_binarize(1))
    assert torch.allclose(seen_masks[0], 20 * (20 * mask - 10).sigmoid() - 10)


def test_absence_is_written_on_the_map(model: SAM2S):
    features = frame(model, 2)
    answer = some_answer(model, features, 2)
    present = model.memorize(features, answer, binarize=no_binarize(2))
    gone = replace(answer, object_logits=torch.tensor([1.0, -1.0]))
    absent = model.memorize(features, gone, binarize=no_binarize(2))
    assert torch.equal(absent[0], present[0])
    assert torch.allclose(
        absent[1] - present[1], model.no_object_map.view(-1, 1, 1).expand_as(absent[1]), atol=1e-5
    )
