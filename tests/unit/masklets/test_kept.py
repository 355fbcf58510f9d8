"""Videos kept in memory are what their files are."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from sam2s.clips.clips import index_video
from sam2s.errors import InputError
from sam2s.masklets.kept import KeptVideo, keep_videos
from sam2s.masklets.masklets import (
    MaskletVideo,
    MaskletWriter,
    ObjectInfo,
    VideoInfo,
    open_masklets,
)


@pytest.fixture(scope="module")
def videos(tmp_path_factory: pytest.TempPathFactory) -> list[MaskletVideo]:
    """Two videos of three frames of 9 x 13 pixels; object 7 has no mask on the second frame."""
    root: Path = tmp_path_factory.mktemp("kept")
    rng = np.random.default_rng(0)
    objects = {2: ObjectInfo("grasper"), 7: ObjectInfo("liver", "tissue")}
    with MaskletWriter(root) as writer:
        for name in ("a", "b"):
            writer.add_video(name, VideoInfo("test", None, "train", 25.0, objects))
            for t in range(3):
                masks = {k: rng.random((9, 13)) < 0.4 for k in (2, 7) if (k, t) != (7, 1)}
                image = rng.integers(0, 255, (9, 13, 3)).astype(np.uint8)
                writer.write(name, f"{t:05d}", image, masks)
    return list(open_masklets(root).videos.values())


@pytest.mark.parametrize("workers", [1, 2])
def test_kept_videos_are_what_is_on_disk(videos: list[MaskletVideo], workers: int) -> None:
    for video, kept in zip(videos, keep_videos(videos, 1e9, workers), strict=True):
        assert isinstance(kept, KeptVideo)
        assert (kept.name, kept.info, kept.size) == (video.name, video.info, video.size)
        assert (list(kept.frame_names), len(kept)) == (video.frame_names, 3)
        for t in range(3):
            assert np.array_equal(kept.image(t), video.image(t))
            for k in (2, 7):
                one, other = kept.mask(k, t), video.mask(k, t)
                assert (one is None) == (other is None) == ((k, t) == (7, 1))
                assert one is None or (one.dtype == bool and np.array_equal(one, other))
        assert [kept.annotated(k) for k in (2, 7)] == [[0, 1, 2], [0, 2]]
        assert np.array_equal(index_video("", kept).areas, index_video("", video).areas)


def test_no_more_is_kept_than_asked_for(videos: list[MaskletVideo]) -> None:
    one = 3 * 9 * 13 * 3
    assert [isinstance(v, KeptVideo) for v in keep_videos(videos, one)] == [True, False]
    assert keep_videos(videos, one - 1) == videos


def test_what_is_kept_cannot_be_changed_by_one_of_its_readers(videos: list[MaskletVideo]) -> None:
    kept = KeptVideo(videos[0])
    with pytest.raises(ValueError, match="read-only"):
        kept.image(0)[0] = 0
    with pytest.raises(InputError, match=r"a: no object 3; it has \[2, 7\]"):
        kept.mask(3, 0)
