"""Meta's notebooks, call by call: their sequences of calls, with the shapes that their next lines
rely on, and every public method with the arguments that Meta gives it."""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from sam2s import compat
from sam2s.compat import (
    SAM2AutomaticMaskGenerator,
    SAM2ImagePredictor,
    SAM2VideoPredictor,
    build_sam2,
    build_sam2_video_predictor,
    build_sam2_video_predictor_hf,
)
from sam2s.compat.small_regions import kept_apart, small_regions, without_holes, without_small
from sam2s.errors import Doubt, InputError
from sam2s.model.sam2s import SAM2S
from sam2s.weights.save import save_model
from small import small_model

FRAMES, HEIGHT, WIDTH = 8, 48, 80
PREDICTION = "point_coords point_labels box mask_input multimask_output return_logits"
BATCH = "point_coords_batch point_labels_batch box_batch mask_input_batch"
PROMPT = "inference_state frame_idx obj_id points labels clear_old_points normalize_coords box"

FACTS: dict[type, dict[str, str]] = {
    SAM2ImagePredictor: {
        "__init__": "sam_model mask_threshold max_hole_area max_sprinkle_area",
        "from_pretrained": "model_id",
        "set_image": "image",
        "set_image_batch": "image_list",
        "predict": f"{PREDICTION} normalize_coords",
        "predict_batch": f"{BATCH} multimask_output return_logits normalize_coords",
        "get_image_embedding": "",
        "reset_predictor": "",
    },
    SAM2VideoPredictor: {
        "__init__": "fill_hole_area non_overlap_masks",
        "from_pretrained": "model_id",
        "init_state": "video_path",
        "add_new_points_or_box": PROMPT,
        "add_new_mask": "inference_state frame_idx obj_id mask",
        "propagate_in_video_preflight": "inference_state",
        "propagate_in_video": ("inference_state start_frame_idx max_frame_num_to_track reverse"),
        "clear_all_prompts_in_frame": "inference_state frame_idx obj_id need_output",
        "remove_object": "inference_state obj_id strict need_output",
        "reset_state": "inference_state",
    },
    SAM2AutomaticMaskGenerator: {
        "__init__": (
            "model points_per_side points_per_batch pred_iou_thresh stability_score_thresh"
            " stability_score_offset mask_threshold box_nms_thresh crop_n_layers crop_nms_thresh"
            " crop_overlap_ratio crop_n_points_downscale_factor point_grids min_mask_region_area"
            " output_mode use_m2m multimask_output"
        ),
        "from_pretrained": "model_id",
        "generate": "image",
    },
}
"""Meta's public methods and the names of their arguments, in order."""


@pytest.mark.parametrize(
    ("kind", "method"), [(kind, name) for kind, methods in FACTS.items() for name in methods]
)
def test_methods_take_metas_arguments_in_metas_order(kind: type, method: str):
    given = [name for name in inspect.signature(getattr(kind, method)).parameters if name != "self"]
    wanted = FACTS[kind][method].split()
    if (kind, method) == (SAM2VideoPredictor, "__init__"):  # Meta's takes a whole network's parts
        assert set(wanted) < set(given)
        return
    assert given[: len(wanted)] == wanted


def test_everything_public_is_what_meta_calls_it():
    assert set(compat.__all__) == {
        "SAM2AutomaticMaskGenerator",
        "SAM2ImagePredictor",
        "SAM2VideoPredictor",
        "build_sam2",
        "build_sam2_hf",
        "build_sam2_video_predictor",
        "build_sam2_video_predictor_hf",
    }


@pytest.fixture(scope="module")
def model() -> SAM2S:
    model = small_model()
    with torch.no_grad():  # away from zero, so that masks have an inside and an outside
        for parameter in model.mask_decoder.parameters():
            parameter.mul_(2.0)
    return model


@pytest.fixture(scope="module")
def checkpoint(model: SAM2S, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_model(model, tmp_path_factory.mktemp("weights") / "model")


@pytest.fixture(scope="module")
def video_dir(tmp_path_factory: pytest.TempPathFactory) -> str:
    rng = np.random.default_rng(0)
    folder = tmp_path_factory.mktemp("frames")
    for k in range(FRAMES):
        picture = rng.integers(0, 255, (HEIGHT, WIDTH, 3), dtype=np.uint8)
        Image.fromarray(picture).save(folder / f"{k:05d}.png")
    return str(folder)


@pytest.fixture
def image() -> np.ndarray:
    return np.random.default_rng(1).integers(0, 255, (HEIGHT, WIDTH, 3), dtype=np.uint8)


# ---------------------------------------- image_predictor_example


@pytest.fixture
def predictor(checkpoint: Path) -> SAM2ImagePredictor:
    sam2_model = build_sam2("configs/sam2.1/sam2.1_hiera_l.yaml", checkpoint, device="cpu")
    return SAM2ImagePredictor(sam2_model)


def test_points_then_refinement_by_logits(predictor: SAM2ImagePredictor, image: np.ndarray):
    predictor.set_image(image)
    input_point, input_label = np.array([[50, 37]]), np.array([1])
    masks, scores, logits = predictor.predict(
        point_coords=input_point, point_labels=input_label, multimask_output=True
    )
    sorted_ind = np.argsort(scores)[::-1]
    masks, scores, logits = masks[sorted_ind], scores[sorted_ind], logits[sorted_ind]
    assert masks.shape == (3, HEIGHT, WIDTH)
    assert (np.diff(scores) <= 0).all()
    input_point, input_label = np.array([[50, 37], [70, 30]]), np.array([1, 0])
    mask_input = logits[np.argmax(scores), :, :]
    with_prior, scores, _ = predictor.predict(
        point_coords=input_point,
        point_labels=input_label,
        mask_input=mask_input[None, :, :],
        multimask_output=False,
        return_logits=True,
    )
    assert with_prior.shape == (1, HEIGHT, WIDTH)
    without, _, _ = predictor.predict(
        input_point, input_label, multimask_output=False, return_logits=True
    )
    assert not np.allclose(with_prior, without), "the logits of before are heeded"


def test_box_then_box_with_points_then_boxes(predictor: SAM2ImagePredictor, image: np.ndarray):
    predictor.set_image(image)
    input_box = np.array([42, 10, 70, 47])
    masks, scores, _ = predictor.predict(
        point_coords=None, point_labels=None, box=input_box[None, :], multimask_output=False
    )
    assert (masks.shape, scores.shape) == ((1, HEIGHT, WIDTH), (1,))
    masks, _, _ = predictor.predict(
        point_coords=np.array([[57, 47]]),
        point_labels=np.array([0]),
        box=input_box,
        multimask_output=False,
    )
    assert masks.shape == (1, HEIGHT, WIDTH)
    input_boxes = np.array([[7, 6, 70, 20], [42, 10, 70, 47], [13, 7, 20, 15], [1, 1, 9, 9]])
    masks, scores, _ = predictor.predict(
        point_coords=None, point_labels=None, box=input_boxes, multimask_output=False
    )
    assert masks.shape == (4, 1, HEIGHT, WIDTH)
    assert [mask.squeeze(0).shape for mask in masks] == [(HEIGHT, WIDTH)] * 4


def test_batched_images_by_boxes_and_by_points(predictor: SAM2ImagePredictor, image: np.ndarray):
    img_batch = [image, image[:40, :64]]
    boxes_batch = [np.array([[7, 6, 70, 20], [42, 10, 70, 47]]), np.array([[4, 4, 30, 30]])]
    predictor.set_image_batch(img_batch)
    masks_batch, scores_batch, _ = predictor.predict_batch(
        None, None, box_batch=boxes_batch, multimask_output=False
    )
    assert [m.shape for m in masks_batch] == [(2, 1, HEIGHT, WIDTH), (1, 40, 64)]
    pts_batch = [np.array([[[50, 37]], [[63, 40]]]), np.array([[[30, 30]], [[40, 10]]])]
    labels_batch = [np.array([[1], [1]]), np.array([[1], [1]])]
    masks_batch, scores_batch, _ = predictor.predict_batch(
        pts_batch, labels_batch, box_batch=None, multimask_output=True
    )
    best_masks = [
        masks[range(len(masks)), np.argmax(scores, axis=-1)]
        for masks, scores in zip(masks_batch, scores_batch, strict=True)
    ]
    assert [m.shape for m in best_masks] == [(2, HEIGHT, WIDTH), (2, 40, 64)]


# ---------------------------------------- video_predictor_example


@pytest.fixture
def video(checkpoint: Path) -> SAM2VideoPredictor:
    return build_sam2_video_predictor(
        "configs/sam2.1/sam2.1_hiera_l.yaml", checkpoint, device="cpu"
    )


Segments = dict[int, dict[int, np.ndarray]]


def segments_of(predictor: SAM2VideoPredictor, state: Any, **how: Any) -> Segments:
    """As the notebook gathers them."""
    video_segments = {}
    for out_frame_idx, out_obj_ids, out_mask_logits in predictor.propagate_in_video(state, **how):
        video_segments[out_frame_idx] = {
            out_obj_id: (out_mask_logits[i] > 0.0).cpu().numpy()
            for i, out_obj_id in enumerate(out_obj_ids)
        }
    return video_segments


def same(one: Segments, other: Segments) -> bool:
    return one.keys() == other.keys() and all(
        one[k].keys() == other[k].keys()
        and all(np.array_equal(one[k][i], other[k][i]) for i in one[k])
        for k in one
    )


def test_click_refine_propagate_correct_and_propagate_again(
    video: SAM2VideoPredictor, video_dir: str
):
    inference_state = video.init_state(video_path=video_dir)
    video.reset_state(inference_state)
    points, labels = np.array([[21, 35]], np.float32), np.array([1], np.int32)
    first = video.add_new_points_or_box(
        inference_state=inference_state, frame_idx=0, obj_id=1, points=points, labels=labels
    )
    assert (first[0], first[1], first[2].shape) == (0, [1], (1, 1, HEIGHT, WIDTH))
    points, labels = np.array([[21, 35], [25, 22]], np.float32), np.array([1, 1], np.int32)
    video.add_new_points_or_box(
        inference_state=inference_state, frame_idx=0, obj_id=1, points=points, labels=labels
    )
    before = segments_of(video, inference_state)
    assert list(before) == list(range(FRAMES))
    video.add_new_points_or_box(
        inference_state=inference_state,
        frame_idx=5,
        obj_id=1,
        points=np.array([[8, 41]], np.float32),
        labels=np.array([0], np.int32),
    )
    after = segments_of(video, inference_state)
    assert same({k: before[k] for k in range(5)}, {k: after[k] for k in range(5)})


def test_boxes_with_points_and_a_mask(video: SAM2VideoPredictor, video_dir: str):
    inference_state = video.init_state(video_path=video_dir)
    box = np.array([30, 0, 50, 40], np.float32)
    video.add_new_points_or_box(inference_state=inference_state, frame_idx=0, obj_id=4, box=box)
    video.add_new_points_or_box(
        inference_state=inference_state,
        frame_idx=0,
        obj_id=4,
        points=np.array([[46, 35]], np.float32),
        labels=np.array([1], np.int32),
        box=box,
    )
    mask = np.zeros((HEIGHT, WIDTH), bool)
    mask[8:40, 16:64] = True
    _, ids, logits = video.add_new_mask(inference_state, frame_idx=0, obj_id=9, mask=mask)
    assert ids == [4, 9]
    assert logits.shape == (2, 1, HEIGHT, WIDTH)
    assert set(segments_of(video, inference_state)[3]) == {4, 9}


def test_several_objects_removal_and_reset(video: SAM2VideoPredictor, video_dir: str):
    inference_state = video.init_state(video_path=video_dir)
    for obj_id, (x, y) in ((2, (20, 35)), (3, (40, 15)), (5, (60, 40))):
        video.add_new_points_or_box(
            inference_state, 0, obj_id, points=np.array([[x, y]]), labels=np.array([1])
        )
    video.propagate_in_video_preflight(inference_state)
    whole = segments_of(video, inference_state)
    assert set(whole[0]) == {2, 3, 5}
    obj_ids, updated = video.remove_object(inference_state, 3)
    assert obj_ids == [2, 5]
    assert [(frame, ids) for frame, ids, _ in updated] == [(0, [2, 5])]
    rest = segments_of(video, inference_state)
    for k, masks in rest.items():
        assert set(masks) == {2, 5}
        # random weights give logits near zero, where the size of a batch may turn a pixel
        differing = [np.mean(masks[i] != whole[k][i]) for i in masks]
        assert max(differing) < 0.02, "objects do not depend on one another"
    video.reset_state(inference_state)
    with pytest.raises(InputError, match="nothing to track"):
        video.propagate_in_video_preflight(inference_state)


def test_reverse_from_the_middle(video: SAM2VideoPredictor, video_dir: str):
    inference_state = video.init_state(video_path=video_dir)
    video.add_new_points_or_box(inference_state, 4, 1, points=[[20, 35]], labels=[1])
    forward = segments_of(video, inference_state)
    backward = segments_of(video, inference_state, reverse=True)
    assert list(forward) == [4, 5, 6, 7]
    assert list(backward) == [4, 3, 2, 1, 0]
    assert np.array_equal(forward[4][1], backward[4][1])
    part = segments_of(
        video, inference_state, start_frame_idx=4, max_frame_num_to_track=1, reverse=True
    )
    assert same(part, {k: backward[k] for k in (4, 3)})


# ---------------------------------------- automatic_mask_generator_example


def test_masks_of_everything(checkpoint: Path, image: np.ndarray):
    sam2 = build_sam2("sam2.1_hiera_l.yaml", checkpoint, device="cpu", apply_postprocessing=False)
    mask_generator = SAM2AutomaticMaskGenerator(
        model=sam2,
        points_per_side=6,
        points_per_batch=12,
        pred_iou_thresh=0.0,
        stability_score_thresh=0.0,
        stability_score_offset=0.7,
        crop_n_layers=1,
        box_nms_thresh=0.7,
        crop_n_points_downscale_factor=2,
        min_mask_region_area=25.0,
        use_m2m=True,
    )
    masks = mask_generator.generate(image)
    sorted_anns = sorted(masks, key=(lambda x: x["area"]), reverse=True)
    assert sorted_anns
    assert sorted_anns[0]["segmentation"].shape == (HEIGHT, WIDTH)


# ---------------------------------------- options


def test_options_of_metas_builders(checkpoint: Path, video_dir: str):
    predictor = build_sam2_video_predictor(
        "x.yaml",
        checkpoint,
        "cpu",
        mode="eval",
        vos_optimized=True,
        hydra_overrides_extra=["++model.non_overlap_masks=true", "++model.fill_hole_area=4"],
    )
    assert (predictor.non_overlap_masks, predictor.fill_hole_area) == (True, 4)
    assert build_sam2_video_predictor_hf(str(checkpoint), device="cpu").fill_hole_area == 8
    plain = build_sam2_video_predictor(None, checkpoint, "cpu", apply_postprocessing=False)
    assert plain.fill_hole_area == 0
    predictor.init_state(video_dir, offload_video_to_cpu=True, async_loading_frames=True)
    assert predictor.to("cpu").eval().image_size == 64
    with pytest.warns(Doubt, match="memory_temporal_stride_for_eval has no effect here"):
        build_sam2_video_predictor(
            None,
            checkpoint,
            "cpu",
            hydra_overrides_extra=["++model.memory_temporal_stride_for_eval=3"],
        )
    with pytest.raises(InputError, match="ckpt_path: name a checkpoint"):
        build_sam2("sam2.1_hiera_l.yaml")


def test_masks_that_may_not_overlap(checkpoint: Path, video_dir: str):
    apart = build_sam2_video_predictor(None, checkpoint, "cpu", non_overlap_masks=True)
    state = apart.init_state(video_dir)
    for obj_id, x in ((1, 20), (2, 30)):
        apart.add_new_points_or_box(state, 0, obj_id, points=[[x, 20]], labels=[1])
    plain = build_sam2_video_predictor(None, checkpoint, "cpu")
    other = plain.init_state(video_dir)
    for obj_id, x in ((1, 20), (2, 30)):
        plain.add_new_points_or_box(other, 0, obj_id, points=[[x, 20]], labels=[1])
    overlapped = 0
    for (_, _, a), (_, _, b) in zip(
        apart.propagate_in_video(state), plain.propagate_in_video(other), strict=True
    ):
        assert ((a[:, 0] > 0).sum(dim=0) <= 1).all()
        assert torch.equal((a[:, 0] > 0).any(dim=0), (b[:, 0] > 0).any(dim=0))
        overlapped += int(((b[:, 0] > 0).sum(dim=0) > 1).sum())
    assert overlapped, "or this test says nothing"


def test_small_regions_by_hand():
    plane = torch.tensor(
        [[1, 1, 0, 0, 1], [1, 0, 0, 0, 0], [0, 0, 1, 0, 0], [0, 0, 0, 1, 0]], dtype=torch.bool
    )[None]
    assert small_regions(plane, 0).sum() == 0
    assert small_regions(plane, 1)[0].nonzero().tolist() == [[0, 4]]
    assert small_regions(plane, 2)[0].nonzero().tolist() == [[0, 4], [2, 2], [3, 3]]
    assert torch.equal(small_regions(plane, 3), plane)


def test_holes_are_filled_and_specks_removed():
    logits = torch.full((1, 9, 9), -5.0)
    logits[0, 2:7, 2:7] = 5.0
    logits[0, 4, 4] = -5.0
    logits[0, 0, 8] = 5.0
    filled = without_holes(logits, 1)
    assert filled[0, 4, 4] == pytest.approx(0.1)
    assert (filled != logits).sum() == 1
    assert without_holes(logits, 0) is logits
    tidied = without_small(logits, 0.0, holes=1, specks=1) > 0
    assert tidied[0].sum() == 25
    assert not tidied[0, 0, 8]
    assert without_small(logits, 0.0, 0, 0) is logits
    assert kept_apart(logits) is logits


def test_the_image_predictor_fills_holes_too(model: SAM2S, image: np.ndarray):
    """Up to 255 of the decoder's 256 pixels: the whole background of any mask is a hole."""
    click = np.array([[30, 20]]), np.array([1])
    plain, solid = SAM2ImagePredictor(model), SAM2ImagePredictor(model, max_hole_area=255)
    plain.set_image(image)
    solid.set_image(image)
    before, after = plain.predict(*click)[0], solid.predict(*click)[0]
    shown = before.any(axis=(1, 2))
    assert shown.any()
    assert not before[shown].all()
    assert after[shown].all()
