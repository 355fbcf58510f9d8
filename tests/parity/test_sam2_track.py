"""A whole track against transformers' Sam2VideoModel: 12 frames, every kind of prompt, memories
feeding back, fp32."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import combinations

import numpy as np
import pytest
import torch
from torch import Tensor
from transformers.models.sam2_video.modeling_sam2_video import Sam2VideoInferenceSession

from sam2_oracle import (
    TOLERANCE,
    Pair,
    build_pair,
    difference,
    follow_meta,
    keep_float32,
)
from sam2s.geometry import image_to_model, mask_to_model, points_to_model
from sam2s.model.sam2s import GIVEN_LOGIT
from sam2s.tracking.row_prompts import PRIOR_LIMIT
from sam2s.tracking.tracker import Tracker
from sam2s.types import Box, Frame, Mask, Points, Prompt

FRAMES = 12
HEIGHT, WIDTH = 96, 120
CORRECTED = 7
TENS = 40.0


PRESENCE = {"in view": 1.3, "flickering": 0.0}
"""Shifts of the presence head: objects that are always in view, and objects that come and go."""


@pytest.fixture(scope="module")
def pair() -> Pair:
    with torch.inference_mode():
        return build_pair("tiny", 128)


@pytest.fixture(scope="module")
def video() -> list[np.ndarray]:
    """Smooth random pictures that drift into one another; (HEIGHT, WIDTH, 3) uint8."""
    generator = torch.Generator().manual_seed(1)
    coarse = torch.randn(3, 3, 7, 8, generator=generator)
    mix = np.linspace(0, 2, FRAMES)
    frames = [sum(max(0.0, 1 - abs(t - k)) * coarse[k] for k in range(3)) for t in mix]
    fine = torch.nn.functional.interpolate(torch.stack(frames), (HEIGHT, WIDTH), mode="bicubic")
    return list((128 + 60 * fine).clamp(0, 255).byte().permute(0, 2, 3, 1).numpy())


class OracleTrack:
    """transformers' tracking of one object, streamed.

    One session an object: within a session, clicks on one object would make the memories of all
    objects hard.
    """

    def __init__(self, pair: Pair) -> None:
        self.pair = pair
        self.session = Sam2VideoInferenceSession(
            video_height=HEIGHT, video_width=WIDTH, dtype=torch.float32
        )
        self.row = self.session.obj_id_to_idx(1)

    def step(
        self, index: int, image: np.ndarray, prompt: list[Prompt] | None
    ) -> tuple[Tensor, float]:
        """Mask logits (4h, 4w) and the object logit of one frame."""
        known = bool(self.session.output_dict_per_obj[self.row]["cond_frame_outputs"])
        if prompt and known:
            return self._correct(index, image, prompt)
        if prompt:
            self._add(index, prompt)
            self.session.obj_with_new_inputs = [1]
        return self._forward(index, image)

    def _forward(self, index: int, image: np.ndarray) -> tuple[Tensor, float]:
        out = self.pair.oracle(
            self.session, frame_idx=index, frame=image_to_model(image, self.pair.ours.image_size)[0]
        )
        return out.pred_masks[0, 0], out.object_score_logits.item()

    def _correct(self, index: int, image: np.ndarray, prompt: list[Prompt]) -> tuple[Tensor, float]:
        """Clicks on a tracked frame: with memory, on top of the tracked mask, remembered as a
        prompted frame.

        These are Meta's steps (``add_all_frames_to_correct_as_cond``) from transformers' parts; its
        own ``forward`` drops the tracked mask and remembers the frame as a tracked one.
        """
        tracked, _ = self._forward(index, image)
        del self.session.output_dict_per_obj[self.row]["non_cond_frame_outputs"][index]
        out = self.pair.oracle._run_single_frame_inference(
            inference_session=self.session,
            frame_idx=index,
            obj_idx=self.row,
            batch_size=1,
            is_init_cond_frame=False,
            point_inputs=self._points(prompt),
            mask_inputs=None,
            reverse=False,
            prev_sam_mask_logits=tracked.clamp(-PRIOR_LIMIT, PRIOR_LIMIT)[None, None],
            streaming=True,
        )
        self.session.store_output(self.row, index, output_value=out, is_conditioning_frame=True)
        self.pair.oracle._batch_encode_memories(
            inference_session=self.session,
            frame_idx=index,
            objects_needing_memory_encoding=[self.row],
            high_res_masks_for_memory=[out["high_res_masks"]],
            object_score_logits_for_memory=[out["object_score_logits"]],
            is_mask_from_pts_per_obj=[True],
        )
        return out["pred_masks"][0, 0], out["object_score_logits"].item()

    def _add(self, index: int, prompt: list[Prompt]) -> None:
        if isinstance(prompt[0], Mask):
            mask = mask_to_model(prompt[0].mask, self.pair.ours.image_size)
            self.session.add_mask_inputs(self.row, index, mask[None, None])
        else:
            self.session.add_point_inputs(self.row, index, self._points(prompt))

    def _points(self, prompt: list[Prompt]) -> dict[str, Tensor]:
        """A box as two points with labels 2 and 3, then the clicks, in model pixels."""
        xy = [p.xyxy.reshape(2, 2) if isinstance(p, Box) else p.xy for p in prompt]
        labels = [np.array([2, 3]) if isinstance(p, Box) else p.labels for p in prompt]
        coords = points_to_model(np.concatenate(xy), (HEIGHT, WIDTH), self.pair.ours.image_size)
        return {
            "point_coords": torch.from_numpy(coords)[None, None],
            "point_labels": torch.from_numpy(np.concatenate(labels))[None, None],
        }


def disc() -> np.ndarray:
    y, x = np.mgrid[:HEIGHT, :WIDTH]
    return (y - 40) ** 2 + (x - 70) ** 2 < 400


Prompts = dict[int, dict[int, list[Prompt]]]
CLICKS: list[Prompt] = [Points([[40, 30], [90, 80], [44, 36]], [1, 0, 1])]
BOX: list[Prompt] = [Box([60, 30, 110, 90])]
TRACKS: dict[str, Prompts] = {
    "clicks of both kinds, and a mask": {0: {1: CLICKS, 2: [Mask(disc())]}},
    "one click, corrected later, and a box from frame 3 on": {
        0: {1: [Points([[40, 30]], [1])]},
        3: {2: BOX},
        CORRECTED: {1: [Points([[52, 48]], [0])]},
    },
    "a box with a click, and a mask, both corrected later by two clicks": {
        0: {1: [*BOX, Points([[70, 70]], [0])], 2: [Mask(disc())]},
        CORRECTED: {
            1: [Points([[52, 48], [20, 20]], [1, 0])],
            2: [Points([[66, 60], [10, 80]], [0, 1])],
        },
    },
}


@pytest.fixture(autouse=True)
def oracle_in_float32(pair: Pair, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    keep_float32(monkeypatch)
    follow_meta(monkeypatch, pair.oracle)
    with torch.inference_mode():
        yield


@contextmanager
def shifted(pair: Pair, shift: float) -> Iterator[None]:
    """Both models with their presence head shifted."""
    bias = pair.ours.mask_decoder.object_head.last.bias
    before = bias.clone()
    bias += shift
    yield
    bias.copy_(before)


@dataclass(frozen=True, slots=True, eq=False)
class Compared:
    """One object on one frame: both mask logits (4h, 4w), and the oracle's object logit."""

    index: int
    ours: Tensor
    theirs: Tensor
    object_logit: float


def run_both(pair: Pair, video: list[np.ndarray], prompts: Prompts) -> Iterator[Compared]:
    tracker = Tracker(pair.ours, "recent", precision="fp32")
    oracles: dict[int, OracleTrack] = {}
    for index, image in enumerate(video):
        given = prompts.get(index, {})
        result = tracker.step(Frame(index, None, image), given)
        for object_id in sorted({*oracles, *given}):
            oracle = oracles.setdefault(object_id, OracleTrack(pair))
            theirs, object_logit = oracle.step(index, image, given.get(object_id))
            yield Compared(index, torch.from_numpy(result.logits[object_id]), theirs, object_logit)


@pytest.mark.parametrize(
    ("name", "presence"),
    [*((name, "in view") for name in TRACKS), (list(TRACKS)[-1], "flickering")],
)
def test_mask_logits_of_a_whole_track(
    pair: Pair, video: list[np.ndarray], name: str, presence: str
):
    with shifted(pair, PRESENCE[presence]):
        compared = list(run_both(pair, video, TRACKS[name]))
    assert max(difference(c.ours, c.theirs) for c in compared) <= TOLERANCE
    seen = [c for c in compared if c.object_logit > 0]
    assert (len(seen) == len(compared)) == (presence == "in view")
    assert seen, "an object that is never in view proves nothing"
    # A given mask comes back as +-10; whatever the decoder says must span tens.
    assert all(np.ptp(c.theirs.numpy()) > TENS for c in seen if c.object_logit != GIVEN_LOGIT)


def test_the_prompt_decides_what_is_tracked(pair: Pair, video: list[np.ndarray]):
    """Agreement means little where memory does not matter: other prompts must lead to other masks,
    frames later."""
    last = []
    for prompt in (CLICKS, BOX, [Mask(disc())]):
        tracker = Tracker(pair.ours, "recent", precision="fp32")
        with shifted(pair, PRESENCE["in view"]):
            for index, image in enumerate(video[:4]):
                logits = tracker.step(
                    Frame(index, None, image), {1: prompt} if index == 0 else None
                ).logits[1]
        last.append(torch.from_numpy(logits))
    assert min(difference(a, b) for a, b in combinations(last, 2)) > 100 * TOLERANCE
