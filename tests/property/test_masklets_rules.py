"""Rules of masklet folders: what a writer was given, a reader gives back."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

import numpy as np
from hypothesis import example, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from sam2s.errors import InputError
from sam2s.masklets.catalogue import info_from_json, info_to_json
from sam2s.masklets.masklets import MaskletWriter, ObjectInfo, VideoInfo, open_masklets

SIZE = (5, 6)
names = st.text("abz019_- é", min_size=1, max_size=6).filter(lambda name: name == name.strip())
lines = st.text(st.characters(exclude_categories=["C", "Zl", "Zp"]), max_size=10)
words = st.none() | lines
objects = st.dictionaries(
    st.integers(0, 1200),
    st.builds(ObjectInfo, words, st.sampled_from(["instrument", "tissue"])),
    max_size=4,
)
infos = st.builds(
    VideoInfo,
    words,
    words,
    words,
    st.none() | st.floats(0.01, 1e4, allow_nan=False).map(float),
    objects,
)


@settings(deadline=None, max_examples=200)
@given(infos)
def test_infos_survive_json(info: VideoInfo):
    assert info_from_json(json.loads(json.dumps(info_to_json(info))), "x") == info


@settings(deadline=None, max_examples=100)
@example(text="\ud800")
@given(text=st.text(st.characters(), min_size=1, max_size=8))
def test_what_could_not_be_read_is_not_written(text: str):
    with tempfile.TemporaryDirectory() as folder:
        told = ""
        try:
            with MaskletWriter(folder) as writer:
                writer.add_video("v", VideoInfo(source=text, objects={1: ObjectInfo(text)}))
                writer.write("v", "0", np.zeros((*SIZE, 3), np.uint8), {})
        except InputError as error:
            told = str(error)
        if told:
            halves = any("\ud800" <= letter <= "\udfff" for letter in text)
            wanted = "text of whole characters" if halves else "one line of text"
            assert f"v: source must be {wanted}" in told
            assert not (Path(folder) / "masklets.json").exists()
        else:
            assert open_masklets(folder).videos["v"].info.source == text


@st.composite
def videos(draw: st.DrawFn) -> tuple[VideoInfo, dict[str, dict[int, np.ndarray]]]:
    """A video's info and {frame name: {object id: mask}}."""
    info = draw(infos)
    planes = npst.arrays(bool, SIZE)
    annotated = st.fixed_dictionaries({}, optional=dict.fromkeys(info.objects, planes))
    return info, draw(st.dictionaries(names, annotated, min_size=1, max_size=4))


@settings(deadline=None, max_examples=40)
@given(st.dictionaries(names, videos(), min_size=1, max_size=3))
def test_a_folder_round_trip(
    given_videos: dict[str, tuple[VideoInfo, dict[str, dict[int, np.ndarray]]]],
):
    with tempfile.TemporaryDirectory() as root:
        with MaskletWriter(root) as writer:
            for name, (info, frames) in given_videos.items():
                writer.add_video(name, info)
                for frame, masks in frames.items():
                    writer.write(name, frame, np.zeros((*SIZE, 3), np.uint8), masks)
        folder = open_masklets(root)
        assert list(folder.videos) == list(given_videos)
        for name, (info, frames) in given_videos.items():
            video = folder.videos[name]
            assert video.info == info
            assert set(video.frame_names) == set(frames)
            for object_id in info.objects:
                expected = [frames[frame].get(object_id) for frame in video.frame_names]
                assert video.annotated(object_id) == [
                    i for i, mask in enumerate(expected) if mask is not None
                ]
                for index, mask in enumerate(expected):
                    read = video.mask(object_id, index)
                    assert (read is None) == (mask is None)
                    assert mask is None or np.array_equal(read, mask)
        assert not list(Path(root).glob(".*"))
