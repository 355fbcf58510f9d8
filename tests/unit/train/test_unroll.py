"""Scripts of the simulated user, and clips unrolled through the tracker's core."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from sam2s.clips.batch import ClipBatch, collate, load_clip
from sam2s.clips.clips import Clip
from sam2s.geometry import normalise
from sam2s.masklets.masklets import open_masklets
from sam2s.memory.recent import Recent
from sam2s.model.presets import preset
from sam2s.model.sam2s import SAM2S, build_model
from sam2s.train.config import Clips, Schedule, Stage, Teaching
from sam2s.train.learner import ClipLearner
from sam2s.train.losses import LossConfig
from sam2s.train.unroll import Script, UserConfig, draw_script, unroll

FRAMES = 4


@pytest.fixture(scope="module")
def model() -> SAM2S:
    torch.manual_seed(0)
    return build_model(preset("nano", image_size=64))


@pytest.fixture(scope="module")
def batch(squares: Path) -> ClipBatch:
    """Two clips with two objects and one; the second object of the first clip leaves on the last
    frame."""
    videos = open_masklets(squares).videos
    clips = [
        Clip("squares0", (2, 3, 4, 5), tuple(range(FRAMES)), (1, 2)),
        Clip("squares1", (3, 2, 1, 0), tuple(range(FRAMES)), (1,)),
    ]
    rng = np.random.default_rng(0)
    return collate([load_clip(videos[clip.video], clip, 64, None, rng) for clip in clips])


def play(model: SAM2S, batch: ClipBatch, script: Script, config: UserConfig | None = None) -> list:
    policy = Recent(future_pointers=True)
    features = model.encode(normalise(batch.images.flatten(0, 1)))
    return unroll(
        model, policy, batch, features, script, config or UserConfig(), np.random.default_rng(0)
    )


@settings(deadline=None, max_examples=100)
@given(
    seed=st.integers(0, 10_000),
    frames=st.integers(1, 8),
    prompted=st.integers(1, 3),
    corrected=st.integers(1, 3),
    clicks=st.integers(0, 3),
)
def test_scripts_keep_the_rules(
    seed: int, frames: int, prompted: int, corrected: int, clicks: int
) -> None:
    config = UserConfig(prompted=prompted, corrected=corrected, clicks=clicks)
    script = draw_script(config, frames, np.random.default_rng(seed))
    assert next(iter(script.prompts)) == 0
    assert len(script.prompts) <= min(prompted, frames)
    assert sorted(script.order(frames)) == list(range(frames))
    assert script.order(frames)[: len(script.prompts)] == list(script.prompts)
    kinds = set(script.prompts.values())
    assert kinds <= {"click", "box"} or kinds == {"mask"}
    if kinds == {"mask"}:
        assert frames > 1
        assert not script.corrections
    if script.corrections:
        assert set(script.prompts) <= set(script.corrections)
        assert len(script.corrections) <= max(len(script.prompts), corrected)
        assert set(script.corrections.values()) == {clicks}
        assert clicks > 0


def test_shares_of_first_prompts() -> None:
    rng = np.random.default_rng(0)
    scripts = [draw_script(UserConfig(prompted=1), 8, rng) for _ in range(2000)]
    kinds = [script.prompts[0] for script in scripts]
    assert kinds.count("mask") / 2000 == pytest.approx(0.5, abs=0.05)
    assert kinds.count("box") / 2000 == pytest.approx(0.25, abs=0.05)
    assert all(
        script.prompts[0] != "mask"
        for script in (draw_script(UserConfig(mask=1.0), 1, rng) for _ in range(50))
    )


def test_a_share_of_clips_is_corrected() -> None:
    rng = np.random.default_rng(0)
    scripts = [draw_script(UserConfig(mask=0.0, correct=0.3), 4, rng) for _ in range(1000)]
    assert sum(bool(script.corrections) for script in scripts) / 1000 == pytest.approx(
        0.3, abs=0.05
    )


def test_clicked_clip(model: SAM2S, batch: ClipBatch) -> None:
    answers = play(model, batch, Script({0: "click"}, {0: 2, 2: 1}))
    assert [(a.frame, a.clicks) for a in answers] == [
        (0, 0),
        (0, 1),
        (0, 2),
        (1, 0),
        (2, 0),
        (2, 1),
        (3, 0),
    ]
    assert [a.decoded.candidate_logits.shape[1] for a in answers] == [3, 1, 1, 3, 3, 3, 3]
    assert all(a.decoded.mask_logits.shape == (batch.rows, 16, 16) for a in answers)


def test_a_given_mask_has_no_answer(model: SAM2S, batch: ClipBatch) -> None:
    answers = play(model, batch, Script({0: "mask", 3: "mask"}, {}))
    assert [a.frame for a in answers] == [1, 2]


def test_a_box_on_a_frame_without_the_object_becomes_a_click(
    model: SAM2S, batch: ClipBatch
) -> None:
    assert not batch.masks[3].flatten(1).any(1).all()
    answers = play(model, batch, Script({0: "box", 3: "box"}, {}))
    assert [(a.frame, a.decoded.candidate_logits.shape[1]) for a in answers] == [
        (0, 1),
        (3, 3),
        (1, 3),
        (2, 3),
    ]


def test_the_second_prompted_frame_recalls_nothing(model: SAM2S, batch: ClipBatch) -> None:
    model.eval()
    with torch.no_grad():
        alone = play(model, batch, Script({3: "click"}, {}))[0]
        after = play(model, batch, Script({0: "mask", 3: "click"}, {}))[0]
    assert torch.equal(alone.decoded.mask_logits, after.decoded.mask_logits)
    model.train()


def test_the_loss_of_the_last_frame_reaches_memory_and_encoder(
    model: SAM2S, batch: ClipBatch
) -> None:
    model.zero_grad()
    last = play(model, batch, Script({0: "mask"}, {}))[-1]
    last.decoded.candidate_logits.square().mean().backward()
    for part in (
        model.image_encoder,
        model.memory_encoder,
        model.memory_attention,
        model.mask_decoder,
    ):
        assert sum(float(p.grad.abs().sum()) for p in part.parameters() if p.grad is not None) > 0
    model.zero_grad()


def test_rows_of_one_clip_do_not_depend_on_the_other(
    model: SAM2S, batch: ClipBatch, squares: Path
) -> None:
    model.eval()
    video = open_masklets(squares).videos["squares1"]
    single = collate([load_clip(video, batch.clips[1], 64, None, np.random.default_rng(0))])
    with torch.no_grad():
        both = play(model, batch, Script({0: "mask"}, {}))
        alone = play(model, single, Script({0: "mask"}, {}))
    for one, two in zip(both, alone, strict=True):
        torch.testing.assert_close(
            one.decoded.mask_logits[2:], two.decoded.mask_logits, atol=1e-3, rtol=1e-3
        )
    model.train()


def test_learner_sums_answers_and_detaches_them(model: SAM2S, batch: ClipBatch) -> None:
    learner = ClipLearner(model, Recent())
    stage = Stage(
        name="s",
        schedule=Schedule(steps=1, lr=1e-3, lr_end=0.0),
        clips=Clips(size=64, batch=2),
        teaching=Teaching(loss=LossConfig(stride=4)),
    )
    losses, answers = learner(batch, stage, Script({0: "click"}, {0: 1}), np.random.default_rng(0))
    assert len(answers) == 5
    assert losses.total.requires_grad
    assert not any(answer.decoded.mask_logits.requires_grad for answer in answers)
    parts = losses.terms()
    total = 20 * parts["focal"] + parts["dice"] + parts["iou"] + parts["presence"]
    assert losses.total.item() == pytest.approx(total.item(), rel=1e-5)


def test_masks_never_answer_every_frame():
    user = UserConfig(mask=1.0, prompted=2)
    scripts = [draw_script(user, 2, np.random.default_rng(seed)) for seed in range(50)]
    assert all(len(script.prompts) == 1 for script in scripts)
