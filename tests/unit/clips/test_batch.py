"""From clips to batches of rows."""

from __future__ import annotations

import copy
from dataclasses import replace

import numpy as np
import pytest
import torch

from sam2s.clips.augment import AugmentConfig
from sam2s.clips.batch import collate, load_clip
from sam2s.clips.clips import NOT_ANNOTATED, Clip, index_video
from sam2s.masklets.masklets import (
    MaskletVideo,
    MaskletWriter,
    ObjectInfo,
    VideoInfo,
    open_masklets,
)


@pytest.fixture(scope="module")
def video(tmp_path_factory: pytest.TempPathFactory) -> MaskletVideo:
    """Four frames of 32 x 48; object 1 always there, object 5 annotated on frames 0 and 2 only and
    absent on 2."""
    root = tmp_path_factory.mktemp("clips")
    objects = {1: ObjectInfo("grasper", "instrument"), 5: ObjectInfo("liver", "tissue")}
    rng = np.random.default_rng(0)
    with MaskletWriter(root) as writer:
        writer.add_video("v", VideoInfo("test", "test", "train", 25.0, objects))
        for t in range(4):
            one, five = np.zeros((32, 48), bool), np.zeros((32, 48), bool)
            one[4:12, 4 + t : 16 + t] = True
            five[20:30, 20:40] = t == 0
            masks = {1: one, 5: five} if t in (0, 2) else {1: one}
            writer.write("v", f"{t:05d}", rng.integers(0, 255, (32, 48, 3)).astype(np.uint8), masks)
    return open_masklets(root).videos["v"]


def test_index_tells_absent_from_not_annotated(video: MaskletVideo) -> None:
    index = index_video("v", video)
    assert index.object_ids == (1, 5)
    assert index.areas.tolist() == [[96, 96, 96, 96], [200, NOT_ANNOTATED, 0, NOT_ANNOTATED]]
    assert (index.frames, index.pixels) == (4, 32 * 48)


def test_load_clip(video: MaskletVideo) -> None:
    clip = Clip("v", (0, 1, 2), (0, 1, 2), (1, 5))
    sample = load_clip(video, clip, 64, None, np.random.default_rng(0))
    assert sample.images.shape == (3, 3, 64, 64)
    assert sample.masks.shape == (3, 2, 64, 64)
    assert sample.annotated.tolist() == [[True, True], [True, False], [True, True]]
    assert sample.masks.flatten(2).any(2).tolist() == [[True, True], [True, False], [True, False]]
    assert sample.classes == ("grasper", None)


def test_objects_pushed_out_of_the_first_frame_are_dropped(video: MaskletVideo) -> None:
    clip = Clip("v", (0, 1), (0, 1), (1, 5))
    far = AugmentConfig(hflip=0, degrees=0, shear=0, scale=(4.0, 4.0), shift=0.3)
    kept = {
        load_clip(video, clip, 32, far, np.random.default_rng(seed)).clip.objects
        for seed in range(40)
    }
    assert {(1,), (5,)} <= kept
    assert () not in kept  # where nothing stayed in view, the change was dropped instead
    sample = load_clip(video, clip, 32, far, np.random.default_rng(0))
    assert sample.masks.shape[1] == len(sample.classes) == len(sample.clip.objects)


def test_collate_orders_rows_by_clip(video: MaskletVideo) -> None:
    clips = [Clip("v", (0, 2), (0, 1), (1, 5)), Clip("v", (3, 1), (0, 1), (1,))]
    batch = collate([load_clip(video, clip, 32, None, np.random.default_rng(0)) for clip in clips])
    assert batch.images.shape == (2, 2, 3, 32, 32)
    assert batch.masks.shape == (2, 3, 32, 32)
    assert batch.clip_of_row.tolist() == [0, 0, 1]
    assert (batch.frames, batch.rows) == (2, 3)
    assert batch.now(1) == [1, 1, 1]
    assert batch.classes == ("grasper", None, "grasper")
    assert torch.equal(batch.to("cpu").masks, batch.masks)


def test_what_is_known_on_the_host_is_what_the_tensors_say(video: MaskletVideo) -> None:
    clips = [Clip("v", (0, 1, 2), (0, 1, 2), (1, 5)), Clip("v", (3, 1, 0), (0, 1, 2), (1,))]
    batch = collate([load_clip(video, clip, 32, None, np.random.default_rng(0)) for clip in clips])
    assert batch.known.annotated.tolist() == batch.annotated.tolist()
    visible = batch.masks.flatten(2).any(2) & batch.annotated
    assert batch.known.visible.tolist() == visible.tolist() == [[1, 1, 1], [1, 0, 1], [1, 0, 1]]
    assert list(batch.known.owners) == batch.clip_of_row.tolist()
    assert batch.to("cpu").known is batch.known
    sent = copy.copy(batch)  # by the state that is pickled for another process
    assert "known" in vars(sent)
    changed = replace(batch, masks=torch.zeros_like(batch.masks))
    assert not changed.known.visible.any()
