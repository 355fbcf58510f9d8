"""What a script may hand to the tracker and to Meta's predictors, and the one line for the rest."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from sam2s.compat import SAM2ImagePredictor, SAM2VideoPredictor
from sam2s.errors import InputError, WeightsError
from sam2s.tracking.tracker import Tracker
from sam2s.types import Box, Frame, Mask, Points, Prompt
from tiny import build_tiny

CLICK = Points([[10, 24]], [1])


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_weights_of_another_dtype(dtype: torch.dtype, video):
    model = build_tiny()
    late = Tracker(model)
    model.to(dtype)
    name = str(dtype).removeprefix("torch.")
    uses: list[Callable[[], object]] = [
        lambda: Tracker(model),
        lambda: late.step(video[0], {1: CLICK}),
        lambda: SAM2VideoPredictor(model),
        lambda: SAM2ImagePredictor(model),
    ]
    for use in uses:
        with pytest.raises(InputError, match=f"weights are {name}, expected float32"):
            use()


@pytest.mark.parametrize("model", [None, torch.nn.Linear(1, 1)])
def test_what_is_no_model(model: Any):
    with pytest.raises(InputError, match="expected what load_model gives"):
        Tracker(model)


def test_a_model_by_name(video):
    result = Tracker("nano").step(video[0], {1: CLICK})
    assert result.masks[1].shape == (48, 80)
    with pytest.raises(WeightsError, match="nanu"):
        Tracker("nanu")
    with pytest.raises(WeightsError, match="nowhere"):
        Tracker(Path("nowhere.pt"))


@pytest.mark.parametrize("precision", ["fp16", "float32", None, torch.bfloat16])
def test_precisions_by_name_only(model, precision: Any):
    with pytest.raises(InputError, match="expected auto, fp32 or bf16"):
        Tracker(model, precision=precision)


def test_pictures_of_every_kind_are_the_same_picture(model, video):
    first = Tracker(model).step(video[0], {1: CLICK}).masks[1]
    picture = Image.fromarray(video[0])
    for given in (
        picture,
        picture.convert("RGBA"),
        torch.from_numpy(video[0]),
        Frame(0, None, picture),
    ):
        assert np.array_equal(Tracker(model).step(given, {1: CLICK}).masks[1], first)
    for source in ([picture], [torch.from_numpy(video[0])]):
        (ran,) = Tracker(model).run(source, {0: {1: CLICK}})
        assert np.array_equal(ran.masks[1], first)


@pytest.mark.parametrize("picture", ["a.png", None, [[1, 2], [3]], np.zeros((4, 4)), 3])
def test_what_is_no_picture(model, picture: Any):
    with pytest.raises(InputError, match=r"^frame"):
        Tracker(model).step(picture, {1: CLICK})
    with pytest.raises(InputError, match=r"^frame"):
        list(Tracker(model).run([picture], {0: {1: CLICK}}))


@pytest.mark.parametrize("ids", [("a", 1), ("a",), (1.5,), (None,), (True,)])
def test_ids_are_whole_numbers(model, video, ids: tuple[Any, ...]):
    with pytest.raises(InputError, match="object id: expected a whole number"):
        Tracker(model).step(video[0], dict.fromkeys(ids, CLICK))


def test_ids_of_numpy_are_whole_numbers(model, video):
    assert list(Tracker(model).step(video[0], {np.int64(3): CLICK}).masks) == [3]


@pytest.mark.parametrize(
    ("numbers", "prompt"),
    [
        ([10, 24], CLICK),
        ([[10, 24], [12.5, 20]], Points([[10, 24], [12.5, 20]], [1, 1])),
        ((4, 16, 20, 32), Box([4, 16, 20, 32])),
        (np.tri(48, 80, dtype=bool), Mask(np.tri(48, 80, dtype=bool))),
    ],
)
def test_numbers_that_leave_no_doubt_are_prompts(model, video, numbers: Any, prompt: Prompt):
    (asked,) = Tracker(model).run(video[:1], {0: {1: numbers}})
    meant = Tracker(model).step(video[0], {1: prompt})
    assert np.array_equal(asked.logits[1], meant.logits[1])


@pytest.mark.parametrize(
    "prompts",
    [
        {1: [[8, 6, 1]]},
        {1: [[80, 60], CLICK]},
        {1: [[1], [2, 3]]},
        {1: "click"},
        {1: ["click"]},
        {1: None},
        {1: np.zeros((48, 80))},
        [CLICK],
        5,
    ],
)
def test_what_is_no_prompt(model, video, prompts: Any):
    tracker = Tracker(model)
    with pytest.raises(InputError, match="prompt"):
        tracker.step(video[0], prompts)
    assert tracker.objects == ()


@pytest.mark.parametrize(
    ("prompts", "says"),
    [
        ([[10, 24]], r"expected \{frame: \{object id: prompt\}\}, got list"),
        ({1: CLICK}, r"prompts of frame 1: expected .*got Points"),
        ({"0": {1: CLICK}}, "frame of a prompt: expected a whole number, got '0'"),
        ({9: {1: "click"}}, "object 1: a prompt is Points, Box or Mask"),
    ],
)
def test_prompts_of_a_run_are_checked_before_it_reads(model, prompts: Any, says: str):
    def unread() -> Iterator[np.ndarray]:
        raise AssertionError("a frame was asked for")
        yield

    with pytest.raises(InputError, match=says):
        next(Tracker(model).run(unread(), prompts))


@pytest.fixture
def predictor(model, video, tmp_path: Path) -> tuple[SAM2VideoPredictor, Any]:
    Image.fromarray(video[0]).save(tmp_path / "0.png")
    made = SAM2VideoPredictor(model)
    return made, made.init_state(tmp_path)


@pytest.mark.parametrize(
    "given",
    [
        {"box": [[1, 1, 9, 9], [2, 2, 8, 8]]},
        {"box": [1, 1, 9]},
        {"points": [[1, 2, 3], [4, 5, 6]], "labels": [1, 1]},
        {"points": [[[1, 2]], [[3, 4]]], "labels": [[1], [1]]},
        {"points": [[1, 2]], "labels": [0.5]},
        {"points": "ab", "labels": [1]},
    ],
)
def test_prompts_that_metas_video_predictor_cannot_take(predictor, given: dict[str, Any]):
    made, state = predictor
    with pytest.raises(InputError):
        made.add_new_points_or_box(state, 0, 1, **given)
    assert state.obj_ids == []


@pytest.mark.parametrize(
    "given",
    [
        {"points": torch.tensor([[10, 24]], dtype=torch.bfloat16), "labels": [1]},
        {"points": torch.ones(1, 1, 2, requires_grad=True), "labels": torch.tensor([[1]])},
        {"box": torch.tensor([[4, 16, 20, 32]])},
        {"box": np.array([[4, 16], [20, 32]])},
    ],
)
def test_prompts_in_metas_shapes(predictor, given: dict[str, Any]):
    made, state = predictor
    assert made.add_new_points_or_box(state, 0, 1, **given)[1] == [1]


@pytest.mark.parametrize("soft", [np.full((48, 80), 0.3), np.linspace(-5, 5, 3840).reshape(48, 80)])
def test_soft_masks_for_metas_video_predictor(predictor, soft: np.ndarray):
    made, state = predictor
    with pytest.raises(InputError, match=r"cut probabilities at 0\.5"):
        made.add_new_mask(state, 0, 1, torch.from_numpy(soft))
    assert state.obj_ids == []


def test_what_metas_state_does_not_keep(predictor):
    _, state = predictor
    with pytest.raises(InputError, match=r"state\['images'\]: .*num_frames"):
        state["images"]
    assert "images" not in state
    assert "num_frames" in state
    assert state["num_frames"] == 1


@pytest.mark.parametrize(
    "given",
    [
        {"box": [1, 2, 3]},
        {"box": 5},
        {"point_coords": [[1, 2, 3]], "point_labels": [1]},
        {"point_coords": [[1, 2]], "point_labels": [1, 1]},
        {"point_coords": [1, 2], "point_labels": [1]},
        {"point_coords": [[1, 2]], "point_labels": [7]},
        {"point_coords": [[1, 2]], "point_labels": [1], "box": [[1, 1, 9, 9], [2, 2, 8, 8]]},
        {"mask_input": np.zeros((1, 3, 3))},
        {"mask_input": "logits"},
    ],
)
def test_prompts_that_metas_image_predictor_cannot_take(model, video, given: dict[str, Any]):
    made = SAM2ImagePredictor(model)
    made.set_image(video[0])
    with pytest.raises(InputError):
        made.predict(**given)


@pytest.mark.parametrize("image", [None, "a.png", np.zeros((4, 4, 3)), torch.zeros(3, 4, 4)])
def test_pictures_that_metas_image_predictor_cannot_take(model, image: Any):
    with pytest.raises(InputError, match=r"^image: "):
        SAM2ImagePredictor(model).set_image(image)


def test_the_packaged_weights_stay_what_they_are(model):
    """Refusing a half model must not have touched the shared one."""
    assert {p.dtype for p in copy.deepcopy(model).parameters()} == {torch.float32}
