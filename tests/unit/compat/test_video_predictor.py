"""Meta's video predictor over our tracker: the call sequences that its users' scripts hold."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from sam2s.compat import (
    SAM2VideoPredictor,
    build_sam2_video_predictor,
    build_sam2_video_predictor_hf,
)
from sam2s.compat.video_predictor import INTERVAL, KEPT_STATES, InferenceState
from sam2s.errors import InputError
from sam2s.media.frames import open_frames
from sam2s.model.sam2s import SAM2S
from sam2s.tracking.tracker import Tracker
from sam2s.types import Box, Points
from sam2s.weights.save import save_model
from small import small_model

FRAMES, HEIGHT, WIDTH = 7, 48, 80


@pytest.fixture(scope="module")
def model() -> SAM2S:
    model = small_model()
    # random starting weights give logits near zero; these give masks with an inside and an outside
    with torch.no_grad():
        for parameter in model.mask_decoder.parameters():
            parameter.mul_(2.0)
    return model


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    rng = np.random.default_rng(0)
    folder = tmp_path_factory.mktemp("frames")
    for k in range(FRAMES):
        Image.fromarray(rng.integers(0, 255, (HEIGHT, WIDTH, 3), dtype=np.uint8)).save(
            folder / f"{k}.png"
        )
    return folder


@pytest.fixture
def predictor(model: SAM2S) -> SAM2VideoPredictor:
    return SAM2VideoPredictor(model)


def equal(answers: list, expected: list) -> bool:
    return all(
        a[0] == b[0] and a[1] == b[1] and torch.equal(a[2], b[2])
        for a, b in zip(answers, expected, strict=True)
    )


def test_click_then_propagate_is_what_the_tracker_gives(
    predictor: SAM2VideoPredictor, model: SAM2S, folder: Path
):
    state = predictor.init_state(str(folder))
    index, ids, logits = predictor.add_new_points_or_box(
        state, frame_idx=0, obj_id=4, points=[[30, 20]], labels=np.array([1], np.int32)
    )
    assert (index, ids) == (0, [4])
    assert logits.shape == (1, 1, HEIGHT, WIDTH)
    expected = list(Tracker(model).run(open_frames(folder), {0: {4: Points([[30, 20]], [1])}}))
    answers = list(predictor.propagate_in_video(state))
    assert [a[0] for a in answers] == list(range(FRAMES))
    assert torch.equal(answers[0][2], logits)
    for (_, _, mask_logits), result in zip(answers, expected, strict=True):
        np.testing.assert_array_equal((mask_logits[0, 0] > 0).numpy(), result.masks[4])


def test_two_objects_keep_the_order_in_which_they_came(predictor: SAM2VideoPredictor, folder: Path):
    state = predictor.init_state(folder)
    predictor.add_new_points_or_box(state, 0, 9, box=np.array([5, 5, 40, 30], np.float32))
    _, ids, logits = predictor.add_new_points_or_box(
        state, 0, 2, points=torch.tensor([[60.0, 20.0]]), labels=[1]
    )
    assert ids == state["obj_ids"] == [9, 2]
    assert logits.shape == (2, 1, HEIGHT, WIDTH)
    assert (state["num_frames"], state["video_height"], state["video_width"]) == (
        FRAMES,
        HEIGHT,
        WIDTH,
    )


def test_coordinates_may_be_relative(predictor: SAM2VideoPredictor, folder: Path):
    state, other = predictor.init_state(folder), predictor.init_state(folder)
    prompt = {"points": [[0.5, 0.25]], "labels": [1], "box": [0.25, 0.25, 0.75, 0.75]}
    relative = predictor.add_new_points_or_box(state, 0, 1, normalize_coords=False, **prompt)
    pixels = predictor.add_new_points_or_box(other, 0, 1, [[40, 12]], [1], box=[20, 12, 60, 36])
    assert equal([relative], [pixels])
    box, points = state.prompts[0][1]
    assert isinstance(box, Box)
    assert isinstance(points, Points)


def test_further_clicks_add_to_earlier_ones_or_replace_them(
    predictor: SAM2VideoPredictor, folder: Path
):
    state = predictor.init_state(folder)
    predictor.add_new_points(state, 0, 1, [[30, 20]], [1])
    predictor.add_new_points(state, 0, 1, [[60, 20]], [0], clear_old_points=False)
    assert [p.labels.tolist() for p in state.prompts[0][1]] == [[1], [0]]
    predictor.add_new_points(state, 0, 1, [[31, 21]], [1])
    assert [p.xy.tolist() for p in state.prompts[0][1]] == [[[31, 21]]]
    assert len(list(predictor.propagate_in_video(state))) == FRAMES


def test_a_mask_comes_back_as_it_was_given(predictor: SAM2VideoPredictor, folder: Path):
    mask = np.zeros((HEIGHT, WIDTH), bool)
    mask[8:40, 16:64] = True
    state = predictor.init_state(folder)
    _, _, logits = predictor.add_new_mask(state, 0, 1, torch.from_numpy(mask))
    inside = (logits[0, 0] > 0).numpy()
    assert (inside & mask).sum() / (inside | mask).sum() > 0.8  # through the model's 16 x 16 logits


def test_a_correction_after_propagation_sees_the_memory_before_it(
    predictor: SAM2VideoPredictor, model: SAM2S, folder: Path
):
    state = predictor.init_state(folder)
    predictor.add_new_points(state, 0, 1, [[30, 20]], [1])
    list(predictor.propagate_in_video(state))
    predictor.add_new_points(state, 4, 1, [[50, 30]], [1])
    again = list(predictor.propagate_in_video(state))
    prompts = {0: {1: Points([[30, 20]], [1])}, 4: {1: Points([[50, 30]], [1])}}
    for answer, result in zip(again, Tracker(model).run(open_frames(folder), prompts), strict=True):
        np.testing.assert_array_equal((answer[2][0, 0] > 0).numpy(), result.masks[1])


def test_starting_later_gives_the_same_as_having_started_before(
    predictor: SAM2VideoPredictor, folder: Path
):
    state = predictor.init_state(folder)
    predictor.add_new_points(state, 0, 1, [[30, 20]], [1])
    whole = list(predictor.propagate_in_video(state))
    assert equal(
        list(predictor.propagate_in_video(state, start_frame_idx=3, max_frame_num_to_track=2)),
        whole[3:6],
    )


def test_backwards_is_the_tracker_in_reverse(
    predictor: SAM2VideoPredictor, model: SAM2S, folder: Path
):
    state = predictor.init_state(folder)
    predictor.add_new_points(state, 5, 1, [[30, 20]], [1])
    answers = list(predictor.propagate_in_video(state, reverse=True))
    frames = list(open_frames(folder))[5::-1]
    tracker = Tracker(model, reverse=True)
    expected = list(tracker.run(frames, {5: {1: Points([[30, 20]], [1])}}))
    assert [a[0] for a in answers] == [5, 4, 3, 2, 1, 0]
    for answer, result in zip(answers, expected, strict=True):
        np.testing.assert_array_equal((answer[2][0, 0] > 0).numpy(), result.masks[1])
    two = predictor.propagate_in_video(
        state, start_frame_idx=5, max_frame_num_to_track=2, reverse=True
    )
    assert [a[0] for a in two] == [5, 4, 3]


def test_an_object_that_comes_later_is_absent_before(predictor: SAM2VideoPredictor, folder: Path):
    state = predictor.init_state(folder)
    predictor.add_new_points(state, 0, 1, [[30, 20]], [1])
    predictor.add_new_points(state, 3, 2, [[60, 20]], [1])
    answers = list(predictor.propagate_in_video(state))
    assert all(a[1] == [1, 2] for a in answers)
    assert all((a[2][1] < -1000).all() for a in answers[:3])
    assert (answers[3][2][1] > -1000).any()


def test_prompts_can_be_taken_back(predictor: SAM2VideoPredictor, folder: Path):
    state = predictor.init_state(folder)
    predictor.add_new_points(state, 0, 1, [[30, 20]], [1])
    plain = list(predictor.propagate_in_video(state))
    predictor.add_new_points(state, 3, 1, [[70, 40]], [0])
    answer = predictor.clear_all_prompts_in_frame(state, 3, 1)
    assert answer is not None
    assert torch.equal(answer[2], plain[3][2])
    assert equal(list(predictor.propagate_in_video(state)), plain)
    assert predictor.clear_all_prompts_in_frame(state, 0, 1, need_output=False) is None
    with pytest.raises(InputError, match="nothing to track"):
        predictor.propagate_in_video(state)


def test_an_object_can_be_removed(predictor: SAM2VideoPredictor, folder: Path):
    state = predictor.init_state(folder)
    predictor.add_new_points(state, 0, 1, [[30, 20]], [1])
    predictor.add_new_points(state, 0, 2, [[60, 20]], [1])
    list(predictor.propagate_in_video(state))
    ids, touched = predictor.remove_object(state, 1)
    assert ids == [2]
    assert [(a[0], a[1]) for a in touched] == [(0, [2])]
    assert all(a[1] == [2] for a in predictor.propagate_in_video(state))
    assert predictor.remove_object(state, 7) == ([2], [])
    with pytest.raises(InputError, match="object 7: unknown"):
        predictor.remove_object(state, 7, strict=True)


def test_a_reset_forgets_everything(predictor: SAM2VideoPredictor, folder: Path):
    state = predictor.init_state(folder)
    predictor.add_new_points(state, 0, 1, [[30, 20]], [1])
    list(predictor.propagate_in_video(state))
    predictor.reset_state(state)
    assert (state.obj_ids, state.prompts, state.kept, state.reached) == ([], {}, {}, -1)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"points": [[1, 2]]}, "go together"),
        ({}, "nothing was given"),
        ({"box": [1, 2, 3, 4], "clear_old_points": False}, "clear_old_points=True"),
        ({"points": [[500, 2]], "labels": [1]}, "outside the picture"),
    ],
)
def test_prompts_that_cannot_be(
    predictor: SAM2VideoPredictor, folder: Path, arguments: dict, words: str
):
    state = predictor.init_state(folder)
    with pytest.raises(InputError, match=words):
        predictor.add_new_points_or_box(state, 0, 1, **arguments)
    assert not state.prompts
    assert not state.obj_ids


@pytest.mark.parametrize("frame", [-1, FRAMES])
def test_a_frame_that_is_not_there(predictor: SAM2VideoPredictor, folder: Path, frame: int):
    state = predictor.init_state(folder)
    with pytest.raises(InputError, match="has no such frame"):
        predictor.add_new_points(state, frame, 1, [[30, 20]], [1])


def test_the_states_that_are_kept_stay_few(folder: Path):
    state = InferenceState(open_frames(folder), (HEIGHT, WIDTH))
    for frame in range(100 * INTERVAL):
        state.keep(frame, Tracker.__new__(Tracker))  # type: ignore[arg-type]
        assert len(state.kept) <= KEPT_STATES
    assert 0 in state.kept


def test_the_builders_take_a_path(model: SAM2S, folder: Path, tmp_path: Path):
    saved = save_model(model, tmp_path / "model")
    for predictor in (
        build_sam2_video_predictor(
            "configs/sam2.1/sam2.1_hiera_t.yaml", saved, device="cpu", vos_optimized=False
        ),
        build_sam2_video_predictor_hf(str(saved), device="cpu"),
        SAM2VideoPredictor.from_pretrained(str(saved), device="cpu", memory="recent"),
    ):
        state = predictor.init_state(video_path=str(folder), offload_video_to_cpu=True)
        predictor.add_new_points(state, 0, 1, [[30, 20]], [1])
        assert len(list(predictor.propagate_in_video(state, 0, 1))) == 2


def test_precision_is_the_trackers(model: SAM2S, folder: Path):
    answers = {}
    for precision in ("fp32", "bf16"):
        predictor = SAM2VideoPredictor(model, precision=precision)
        state = predictor.init_state(folder)
        predictor.add_new_points_or_box(state, 0, 1, points=[[20, 20]], labels=[1])
        answers[precision] = [logits for _, _, logits in predictor.propagate_in_video(state)]
    tracker = Tracker(model, precision="bf16")
    tracked = tracker.run(open_frames(folder), {0: {1: Points([[20, 20]], [1])}})
    for logits, result in zip(answers["bf16"], tracked, strict=True):
        np.testing.assert_array_equal(logits[0, 0].numpy() > 0, result.masks[1])
    assert not torch.equal(answers["fp32"][0], answers["bf16"][0])
    with pytest.raises(InputError, match="precision 'fp16'"):
        SAM2VideoPredictor(model, precision="fp16")
