"""Meta's automatic mask generator over our core: two rectangles that a pretended decoder knows."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from PIL import Image

from sam2s.compat import SAM2AutomaticMaskGenerator
from sam2s.errors import Doubt, InputError, OutOfMemory
from sam2s.masklets.masks import decode_rle, encode_rle
from sam2s.model.mask_decoder import Candidates
from sam2s.model.presets import SemanticConfig
from sam2s.model.sam2s import SAM2S
from sam2s.tracking.everything.find import FoundObject, find_everything
from sam2s.tracking.everything.grid import Crop, EverythingConfig, crops_of
from sam2s.tracking.everything.select import cut_off, suppress, tidy
from small import SMALL, small_model

SIDE = 64
RECTANGLES = ((8, 8, 24, 40), (36, 12, 56, 28))
"""left, top, right, bottom, on the 4-pixel grid of the decoder."""
PICTURE = np.full((SIDE, SIDE, 3), 90, np.uint8)


@pytest.fixture
def model(monkeypatch: pytest.MonkeyPatch) -> SAM2S:
    """A decoder that answers a click on a rectangle with the rectangle, and beside one with a
    poor mask of everything."""

    def propose(self: SAM2S, features: Any, prompts: Any, *, padded: bool = True) -> Any:
        logits = torch.full((len(prompts.labels), 4, 16, 16), -8.0)
        ious = torch.full((len(prompts.labels), 4), 0.2)
        for k, (x, y) in enumerate(prompts.coords[:, 0].tolist()):
            logits[k, 0] = logits[k, 3] = 8.0
            for left, top, right, bottom in RECTANGLES:
                if left <= x < right and top <= y < bottom:
                    part = np.s_[top // 4 : bottom // 4, left // 4 : right // 4]
                    logits[k, 1][part] = 8.0
                    ious[k, 1] = 0.9 + x / 1000
                    logits[k, 2][part] = 0.4  # unstable: the cut moves by one logit
                    ious[k, 2] = 0.95
                    if prompts.mask_logits is not None:
                        logits[k, 0] = prompts.mask_logits[k]
                        ious[k, 0] = 0.85
        semantic = None if self.semantic_head is None else torch.ones(len(ious), SMALL.dim)
        return Candidates(logits, ious, torch.zeros(len(ious), 4, SMALL.dim), semantic), None

    monkeypatch.setattr(SAM2S, "propose", propose)
    return small_model()


def inside(rectangle: tuple[int, int, int, int]) -> np.ndarray:
    left, top, right, bottom = rectangle
    mask = np.zeros((SIDE, SIDE), bool)
    mask[top:bottom, left:right] = True
    return mask


def iou(a: np.ndarray, b: np.ndarray) -> float:
    return float((a & b).sum() / (a | b).sum())


def test_every_object_once_as_meta_describes_it(model: SAM2S):
    found = SAM2AutomaticMaskGenerator(model, points_per_side=16).generate(PICTURE)
    assert len(found) == 2
    right, left = found  # the clicks further right are surer of themselves
    for one, rectangle in ((left, RECTANGLES[0]), (right, RECTANGLES[1])):
        assert one["segmentation"].dtype == bool
        assert iou(one["segmentation"], inside(rectangle)) > 0.9
        assert one["area"] == one["segmentation"].sum()
        x, y = one["point_coords"][0]
        assert one["segmentation"][int(y), int(x)]
        rows, columns = np.nonzero(one["segmentation"])
        assert one["bbox"] == [columns.min(), rows.min(), np.ptp(columns), np.ptp(rows)]
        assert one["crop_box"] == [0, 0, SIDE, SIDE]
        assert one["stability_score"] > 0.85
    assert right["predicted_iou"] == pytest.approx(0.9 + 54 / 1000)
    assert set(left) == {
        "segmentation",
        "area",
        "bbox",
        "predicted_iou",
        "point_coords",
        "stability_score",
        "crop_box",
    }


@pytest.mark.parametrize(
    ("options", "count"),
    [
        ({}, 2),
        ({"pred_iou_thresh": 0.99}, 0),
        ({"stability_score_thresh": 1.0}, 0),
        ({"box_nms_thresh": 1.0}, 2 * 4 * 8),  # every click inside, on 4 x 8 and 5 x 4 places
        ({"multimask_output": False, "pred_iou_thresh": 0.1}, 1),  # everything, once
        ({"points_per_batch": 3}, 2),
        ({"point_grids": [np.array([[0.2, 0.3]])], "points_per_side": None}, 1),
    ],
)
def test_options(model: SAM2S, options: dict[str, Any], count: int):
    arguments = {"points_per_side": 16, "stability_score_thresh": 0.85, **options}
    found = SAM2AutomaticMaskGenerator(model, **arguments).generate(PICTURE)
    if options.get("box_nms_thresh") == 1.0:
        count = sum((r - x) // 4 * ((b - y) // 4) for x, y, r, b in RECTANGLES)
    assert len(found) == count


def test_rle_of_both_kinds(model: SAM2S):
    masks, rle, runs = (
        SAM2AutomaticMaskGenerator(
            model, 16, stability_score_thresh=0.85, output_mode=mode
        ).generate(Image.fromarray(PICTURE))
        for mode in ("binary_mask", "coco_rle", "uncompressed_rle")
    )
    for plain, packed, counted in zip(masks, rle, runs, strict=True):
        mask = plain["segmentation"]
        assert np.array_equal(decode_rle(packed["segmentation"]), mask)
        values = np.arange(len(counted["segmentation"]["counts"])) % 2 == 1
        flat = np.repeat(values, counted["segmentation"]["counts"])
        assert counted["segmentation"]["size"] == [SIDE, SIDE]
        assert np.array_equal(flat.reshape(SIDE, SIDE, order="F"), mask)


def test_refinement_asks_again_with_the_mask(model: SAM2S):
    options = {"points_per_side": 16, "stability_score_thresh": 0.85}
    found = SAM2AutomaticMaskGenerator(model, use_m2m=True, **options).generate(PICTURE)
    # The two rectangles, and "everything", of which the refined one is thought better of.
    assert [one["predicted_iou"] for one in found] == pytest.approx([0.85] * 3)
    plain = SAM2AutomaticMaskGenerator(model, **options).generate(PICTURE)
    assert len(plain) == 2
    for one in plain:
        assert max(iou(one["segmentation"], other["segmentation"]) for other in found) == 1


def test_crops_find_what_lies_in_them(model: SAM2S):
    """Every crop shows the same two rectangles to this decoder; those cut off at inner edges go."""
    wide = np.zeros((SIDE, 2 * SIDE, 3), np.uint8)
    options = {"points_per_side": 16, "stability_score_thresh": 0.8, "crop_n_layers": 1}
    found = SAM2AutomaticMaskGenerator(model, **options).generate(wide)
    boxes = {tuple(one["crop_box"]) for one in found}
    assert (0, 0, 2 * SIDE, SIDE) in boxes
    for one in found:
        left, top, width, height = one["crop_box"]
        outside = one["segmentation"].copy()
        outside[top : top + height, left : left + width] = False
        assert not outside.any()


def test_instruments_have_names_where_the_model_knows_them(model: SAM2S):
    one = SemanticConfig(("snare",), bank="orthogonal", width=8)
    named = small_model(config=replace(SMALL, semantic=one))
    options = {"points_per_side": 8, "stability_score_thresh": 0.8}
    found = SAM2AutomaticMaskGenerator(named, **options).generate(PICTURE)
    assert {(o["class"], o["class_prob"]) for o in found} == {("snare", 1.0)}
    many = SemanticConfig(("snare", "grasper"), bank="orthogonal", width=8)
    unsure = small_model(config=replace(SMALL, semantic=many))
    unsure.semantic_head.text_embed.copy_(torch.ones_like(unsure.semantic_head.text_embed))
    named_half = SAM2AutomaticMaskGenerator(unsure, **options).generate(PICTURE)
    assert {o.get("class_prob") for o in named_half} == {0.5}


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"output_mode": "png"}, "expected one of binary_mask"),
        ({"points_per_side": None}, "points_per_side and point_grids: give one"),
        ({"point_grids": [np.zeros((1, 2))]}, "give one of them, and only one"),
        ({"points_per_side": 0}, "points_per_side: expected 1 or more"),
        ({"crop_n_layers": -1}, "crop_layers: expected 0 or more"),
        ({"points_per_side": None, "point_grids": [[[2, 0]]]}, r"numbers in \[0, 1\]"),
        (
            {"points_per_side": None, "point_grids": [np.zeros((1, 2))], "crop_n_layers": 1},
            "1 given, but crop_layers=1 needs 2",
        ),
    ],
)
def test_options_that_cannot_be(model: SAM2S, options: dict[str, Any], words: str):
    with pytest.raises(InputError, match=words):
        SAM2AutomaticMaskGenerator(model, **options)
    with pytest.raises(InputError, match="image: expected"):
        SAM2AutomaticMaskGenerator(model).generate(np.zeros((4, 4), np.uint8))
    with pytest.warns(Doubt, match="spell_check has no effect"):
        SAM2AutomaticMaskGenerator(model, spell_check=True)


def test_memory_that_runs_out_is_one_line(model: SAM2S, monkeypatch: pytest.MonkeyPatch):
    def full(*_: object, **__: object) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(SAM2S, "propose", full)
    with pytest.raises(OutOfMemory, match=r"64 clicks at a time at 64 px: .*points_per_batch"):
        SAM2AutomaticMaskGenerator(model).generate(PICTURE)


def test_the_real_decoder():
    """Whatever random weights give: masks within the picture, none twice."""
    config = EverythingConfig(8, min_iou=0.0, min_stability=0.0, overlap_of="mask", min_region=9)
    picture = np.random.default_rng(0).integers(0, 255, (40, 72, 3), dtype=np.uint8)
    found = find_everything(small_model(), picture, config)
    assert found
    for one in found:
        assert one.mask.shape == (40, 72)
        assert one.mask.any()
    for k, one in enumerate(found):
        assert all(iou(one.mask, other.mask) <= 0.7 for other in found[:k])


# ---------------------------------------- grid and selection


@given(st.integers(1, 300), st.integers(1, 300), st.integers(0, 2))
def test_crops_lie_inside_and_cover_the_picture(height: int, width: int, layers: int):
    crops = crops_of((height, width), EverythingConfig(crop_layers=layers))
    assert len(crops) == sum(4**k for k in range(layers + 1))
    for layer in range(layers + 1):
        covered = np.zeros((height, width), bool)
        for crop in crops:
            assert crop.left >= 0
            assert crop.top >= 0
            assert crop.right <= width
            assert crop.bottom <= height
            if crop.layer == layer:
                covered[crop.top : crop.bottom, crop.left : crop.right] = True
        assert covered.all()


def test_points_are_in_the_middle_of_their_cells():
    config = EverythingConfig(4, crop_points_factor=2)
    assert config.points(0).tolist()[:2] == [[0.125, 0.125], [0.375, 0.125]]
    assert len(config.points(0)) == 16
    assert config.points(1).tolist() == [[0.25, 0.25], [0.75, 0.25], [0.25, 0.75], [0.75, 0.75]]
    assert len(config.points(5)) == 1


MASKS = arrays(bool, (9, 12))


@given(st.lists(MASKS.filter(np.any), max_size=6), st.floats(0, 1), st.booleans())
def test_what_is_suppressed_is_said_by_something_better(
    masks: list[np.ndarray], most: float, by_box: bool
):
    scores = [float(k % 3) for k in range(len(masks))]
    found = [FoundObject(encode_rle(m), 0, 0, (0, 0), Crop(0, 0, 12, 9, 0)) for m in masks]
    places = [one.box if by_box else one.rle for one in found]
    kept = suppress(places, scores, most)
    assert [scores[k] for k in kept] == sorted((scores[k] for k in kept), reverse=True)
    if by_box:
        return
    for k, mask in enumerate(masks):
        better = [m for m in kept if scores[m] > scores[k] or (scores[m] == scores[k] and m < k)]
        assert (k in kept) != any(iou(mask, masks[m]) > most for m in better)


@given(MASKS, st.integers(1, 9))
def test_tidy_leaves_no_small_hole_or_speck(mask: np.ndarray, most: int):
    from scipy import ndimage

    after = tidy(mask, most)
    labels, count = ndimage.label(after, np.ones((3, 3)))
    sizes = np.bincount(labels.ravel())[1:]
    assert count <= 1 or sizes.min() >= most
    assert mask.any() <= after.any()
    if after is not mask:
        assert (after != mask).any()


@given(MASKS.filter(np.any))
def test_a_box_ends_on_pixels_of_the_mask(mask: np.ndarray):
    one = FoundObject(encode_rle(mask), 0, 0, (0, 0), Crop(0, 0, 12, 9, 0))
    rows, columns = np.nonzero(mask)
    assert one.box.tolist() == [columns.min(), rows.min(), np.ptp(columns), np.ptp(rows)]


def test_what_a_crop_cuts_off():
    crop, size = Crop(0, 0, 100, 60, 1), (60, 200)
    middle, right = np.zeros((60, 100), bool), np.zeros((60, 100), bool)
    middle[:, 40:60] = True  # reaches the picture's own edges above and below
    right[20:40, 70:90] = True  # ends 11 pixels from the crop's right edge
    assert not cut_off(middle, crop, size)
    assert cut_off(right, crop, size)
    assert not cut_off(right, Crop(0, 0, 100, 60, 0), (60, 100))
