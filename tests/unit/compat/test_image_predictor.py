"""Meta's image predictor over our model: its prompt forms and result shapes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from sam2s.compat import SAM2ImagePredictor, build_sam2, build_sam2_hf
from sam2s.errors import InputError, OutOfMemory
from sam2s.model.sam2s import SAM2S
from sam2s.tracking.tracker import Tracker
from sam2s.types import Points
from sam2s.weights.save import save_model
from small import small_model

HEIGHT, WIDTH = 48, 80


@pytest.fixture(scope="module")
def model() -> SAM2S:
    return small_model()


@pytest.fixture(scope="module")
def picture() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 255, (HEIGHT, WIDTH, 3), dtype=np.uint8)


@pytest.fixture
def predictor(model: SAM2S, picture: np.ndarray) -> SAM2ImagePredictor:
    predictor = SAM2ImagePredictor(model)
    predictor.set_image(picture)
    return predictor


def test_one_click_gives_three_candidates(predictor: SAM2ImagePredictor):
    masks, ious, logits = predictor.predict(np.array([[40, 20]]), np.array([1]))
    assert (masks.shape, masks.dtype) == ((3, HEIGHT, WIDTH), np.bool_)
    assert ious.shape == (3,)
    assert logits.shape == (3, 16, 16)
    assert ((ious >= 0) & (ious <= 1)).all()


def test_the_best_candidate_is_the_trackers_first_mask(
    predictor: SAM2ImagePredictor, model: SAM2S, picture: np.ndarray
):
    with torch.no_grad():
        model.mask_decoder.init_presence()
    masks, ious, _ = predictor.predict(np.array([[40, 20]]), np.array([1]))
    result = Tracker(model).step(picture, {1: Points([[40, 20]], [1])})
    np.testing.assert_array_equal(masks[ious.argmax()], result.masks[1])


def test_a_single_mask_on_request(predictor: SAM2ImagePredictor):
    masks, ious, logits = predictor.predict(box=np.array([5, 5, 40, 30]), multimask_output=False)
    assert (masks.shape, ious.shape, logits.shape) == ((1, HEIGHT, WIDTH), (1,), (1, 16, 16))


def test_logits_on_request_are_cut_at_the_threshold(model: SAM2S, picture: np.ndarray):
    predictor = SAM2ImagePredictor(model, mask_threshold=0.01)
    predictor.set_image(Image.fromarray(picture))
    click = (np.array([[40, 20]]), np.array([1]))
    logits, _, _ = predictor.predict(*click, return_logits=True)
    masks, _, _ = predictor.predict(*click)
    np.testing.assert_array_equal(logits > 0.01, masks)


def test_a_rough_mask_changes_the_answer(predictor: SAM2ImagePredictor):
    click = {"point_coords": np.array([[40, 20]]), "point_labels": np.array([1])}
    first = predictor.predict(**click)[2]
    second = predictor.predict(**click, mask_input=first[:1], multimask_output=False)[2]
    assert second.shape == (1, 16, 16)
    assert not np.array_equal(second, predictor.predict(**click, multimask_output=False)[2])


def test_a_rough_mask_alone(predictor: SAM2ImagePredictor):
    masks, _, _ = predictor.predict(
        mask_input=np.ones((1, 16, 16), np.float32), multimask_output=False
    )
    assert masks.shape == (1, HEIGHT, WIDTH)


def test_several_boxes_at_once_are_as_one_by_one(predictor: SAM2ImagePredictor):
    boxes = np.array([[5, 5, 40, 30], [30, 10, 70, 40]], np.float32)
    masks, ious, logits = predictor.predict(box=boxes, multimask_output=False, return_logits=True)
    assert (masks.shape, ious.shape, logits.shape) == (
        (2, 1, HEIGHT, WIDTH),
        (2, 1),
        (2, 1, 16, 16),
    )
    for k, box in enumerate(boxes):
        alone, _, _ = predictor.predict(box=box, multimask_output=False, return_logits=True)
        np.testing.assert_allclose(masks[k], alone, atol=1e-5)


def test_boxes_and_clicks_together_and_relative(predictor: SAM2ImagePredictor):
    pixels = predictor.predict(
        np.array([[40, 24]]), np.array([1]), np.array([20, 12, 60, 36]), return_logits=True
    )
    relative = predictor.predict(
        np.array([[0.5, 0.5]]),
        np.array([1]),
        np.array([0.25, 0.25, 0.75, 0.75]),
        return_logits=True,
        normalize_coords=False,
    )
    np.testing.assert_allclose(pixels[0], relative[0], atol=1e-6)


def test_a_batch_of_pictures(predictor: SAM2ImagePredictor, picture: np.ndarray):
    click = (np.array([[30, 20]]), np.array([1]))
    predictor.set_image_batch([picture, picture[:32]])
    masks, ious, logits = predictor.predict_batch([click[0]] * 2, [click[1]] * 2)
    assert [m.shape for m in masks] == [(3, HEIGHT, WIDTH), (3, 32, WIDTH)]
    assert len(ious) == len(logits) == 2
    predictor.set_image(picture)
    np.testing.assert_array_equal(masks[0], predictor.predict(*click)[0])


def test_the_embedding(predictor: SAM2ImagePredictor):
    assert predictor.get_image_embedding().shape == (1, 32, 4, 4)


def test_calls_that_cannot_be(predictor: SAM2ImagePredictor):
    with pytest.raises(InputError, match="go together"):
        predictor.predict(point_coords=np.array([[1, 2]]))
    with pytest.raises(InputError, match="give points, a box or a mask"):
        predictor.predict()
    with pytest.raises(InputError, match="expected"):
        predictor.set_image(np.zeros((4, 4), np.uint8))
    predictor.reset_predictor()
    with pytest.raises(InputError, match="call set_image"):
        predictor.predict(np.array([[1, 2]]), np.array([1]))


def test_the_builders_take_a_path(model: SAM2S, tmp_path: Path):
    saved = save_model(model, tmp_path / "model")
    assert isinstance(build_sam2(None, saved, device="cpu"), SAM2S)
    assert isinstance(build_sam2_hf(str(saved), device="cpu"), SAM2S)
    assert SAM2ImagePredictor.from_pretrained(str(saved), device="cpu").device.type == "cpu"


@pytest.mark.parametrize("part", ["image_encoder", "mask_decoder"])
def test_memory_that_runs_out_is_one_line(
    predictor: SAM2ImagePredictor,
    picture: np.ndarray,
    monkeypatch: pytest.MonkeyPatch,
    part: str,
):
    def full(*_: object) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory")

    def ask() -> None:
        predictor.set_image(picture)
        predictor.predict(np.array([[40, 20]]), np.array([1]))

    monkeypatch.setattr(getattr(predictor.model, part), "forward", full)
    with pytest.raises(OutOfMemory, match="at 64 px: the device has no memory left; load the mod"):
        ask()
