"""Sparsely labelled videos, empty masks and all-absent clips: what the user does, what is judged,
what is learnt."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from sam2s.clips.batch import ClipBatch
from sam2s.clips.clips import Clip, ConsecutiveSampler
from sam2s.errors import InputError
from sam2s.masklets.masklets import MaskletWriter, ObjectInfo, VideoInfo
from sam2s.memory.recent import Recent
from sam2s.train.config import Clips, FolderSet, Schedule, Stage, Teaching, TrainConfig
from sam2s.train.examples import Examples
from sam2s.train.learner import ClipLearner
from sam2s.train.losses import LossConfig, Losses
from sam2s.train.unroll import Script, UserConfig
from sam2s.train.video_pool import open_pool
from small import small_model

SIDE = 64
STAGE = Stage(
    name="s",
    schedule=Schedule(steps=20, lr=1e-3, lr_end=0.0),
    clips=Clips(size=SIDE, batch=1, sampler=ConsecutiveSampler(frames=4)),
    teaching=Teaching(loss=LossConfig(stride=4)),
)


def write(root: Path, name: str, frames: int, labelled: set[int], writer: MaskletWriter) -> None:
    writer.add_video(
        name, VideoInfo("test", "test", "train", 25.0, {1: ObjectInfo("grasper", "instrument")})
    )
    mask = np.zeros((SIDE, SIDE), bool)
    mask[20:44, 20:44] = True
    for t in range(frames):
        image = np.full((SIDE, SIDE, 3), 60, np.uint8)
        image[mask] = 200
        writer.write(name, f"{t:05d}", image, {1: mask} if t in labelled else {})


@pytest.fixture(scope="module")
def mixed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A dense video, a sparse one, one with a single label, one frame alone, and one without any
    label."""
    root = tmp_path_factory.mktemp("mixed")
    with MaskletWriter(root) as writer:
        write(root, "dense", 10, set(range(10)), writer)
        write(root, "sparse", 30, {2, 9, 21}, writer)
        write(root, "single", 12, {5}, writer)
        write(root, "still", 1, {0}, writer)
        write(root, "bare", 12, set(), writer)
    return root


def config_for(root: Path, stage: Stage = STAGE, **folder: object) -> TrainConfig:
    return TrainConfig("t", "nano", (stage,), folders=(FolderSet(str(root), **folder),), seed=1)  # type: ignore[arg-type]


def test_the_pool_tells_stills_from_videos(mixed: Path) -> None:
    pool = open_pool(config_for(mixed).folders, progress=False)
    names = [video.name for video in pool.videos]
    moving, stills = pool.moving_chances(4), pool.still_chances
    assert moving is not None and stills is not None  # noqa: PT018
    assert {name for name, p in zip(names, moving, strict=True) if p > 0} == {"dense", "sparse"}
    assert {name for name, p in zip(names, stills, strict=True) if p > 0} == {
        "sparse",
        "single",
        "still",
    }
    assert np.isclose(moving.sum(), 1)
    assert np.isclose(stills.sum(), 1)
    single = pool.moving_chances(1)
    assert single is not None
    assert (single > 0).sum() == 4  # single pictures may come from anything labelled


def test_a_folder_can_give_all_its_frames_as_stills_and_hold_videos_out(mixed: Path) -> None:
    pool = open_pool(
        config_for(mixed, stills=True, held_out=("still", "bare")).folders, progress=False
    )
    assert [video.name for video in pool.videos] == ["dense", "sparse", "single"]
    assert pool.still_chances is not None
    assert (pool.still_chances > 0).all()
    with pytest.raises(InputError, match="no video 'stil'"):
        open_pool(config_for(mixed, held_out=("stil",)).folders, progress=False)


def test_clips_of_a_sparse_video_start_labelled_and_are_judged_again(mixed: Path) -> None:
    config = config_for(mixed, held_out=("dense",))
    examples = Examples(open_pool(config.folders, progress=False), config)
    for k in range(10):
        batch = examples[k]
        assert batch.clips[0].video == "sparse"
        assert batch.annotated[0].all()
        assert batch.annotated.sum() == 3  # four frames are asked for and three are labelled
        assert set(batch.clips[0].frames) > {2, 9, 21}
        assert not batch.masks[~batch.annotated].any()


def judge(batch: ClipBatch, script: Script, seed: int = 0) -> tuple[Losses, ClipLearner, list]:
    learner = ClipLearner(small_model(), Recent(future_pointers=True)).train()
    stage = replace(STAGE, teaching=replace(STAGE.teaching, user=UserConfig(clicks=1)))
    losses, answers = learner(batch, stage, script, np.random.default_rng(seed))
    return losses, learner, answers


def batch_with(present: list[bool], annotated: list[bool]) -> ClipBatch:
    frames = len(present)
    masks = torch.zeros(frames, 1, SIDE, SIDE, dtype=torch.bool)
    masks[torch.tensor(present), :, 16:40, 16:40] = True
    clip = Clip("v", tuple(range(frames)), tuple(range(frames)), (1,))
    images = torch.randn(1, frames, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(0))
    known = torch.tensor(annotated)[:, None]
    return ClipBatch(
        (clip,), images, masks, known, torch.zeros(1, dtype=torch.int64), (clip.times,), (None,)
    )


def test_the_user_leaves_frames_without_annotation_alone() -> None:
    script = Script({0: "click", 2: "mask", 3: "box"}, {0: 1, 1: 2, 3: 1})
    assert script.where_known([True, True, False, True]) == Script(
        {0: "click", 3: "box"}, {0: 1, 1: 2, 3: 1}
    )
    batch = batch_with([True, True, False], [True, True, False])
    _, _, answers = judge(batch, Script({0: "mask", 2: "mask"}, {}))
    assert [(a.frame, a.given) for a in answers] == [(1, False), (2, False)]
    _, _, answers = judge(
        replace(batch, annotated=torch.ones(3, 1, dtype=torch.bool)),
        Script({0: "mask", 2: "mask"}, {}),
    )
    assert [(a.frame, a.given) for a in answers] == [(1, False)]


def test_a_frame_without_annotation_is_tracked_but_not_judged() -> None:
    script = Script({0: "mask"}, {})
    known, _, _ = judge(batch_with([True, True], [True, True]), script)
    longer, _, answers = judge(batch_with([True, True, False], [True, True, False]), script)
    assert [a.frame for a in answers] == [1, 2]
    # Another batch size, the same kernels up to the last digits.
    torch.testing.assert_close(longer.total, known.total, rtol=1e-4, atol=1e-5)
    silent, learner, _ = judge(batch_with([True, False], [True, False]), script)
    assert float(silent.total.detach()) == 0
    silent.total.backward()
    assert all(not p.grad.any() for p in learner.parameters() if p.grad is not None)


@pytest.mark.parametrize("first", ["click", "box", "mask"])
def test_an_object_that_is_never_there_teaches_presence_alone(first: str) -> None:
    batch = batch_with([False, False, False], [True, True, True])
    losses, learner, answers = judge(
        batch, Script({0: first}, {} if first == "mask" else {0: 1, 1: 1})
    )
    assert answers
    assert float(losses.presence.detach()) > 0
    assert [float(x.detach()) for x in (losses.focal, losses.dice, losses.iou)] == [0, 0, 0]
    losses.total.backward()
    gradients = [p.grad for p in learner.parameters() if p.grad is not None]
    assert all(torch.isfinite(g).all() for g in gradients)
    assert any(g.any() for g in gradients)
