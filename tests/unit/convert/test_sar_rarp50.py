from __future__ import annotations

from pathlib import Path

import av
import numpy as np
import pytest
from source_trees import SIZE, box, codes, converted, junk, picture, thrice, write

from sam2s.errors import InputError


def masks(folder: Path, numbers: tuple[int, ...] = (0, 60, 120)) -> None:
    """Two tools (parts 3, 2, 1), a needle in two pieces, thread."""
    for i, n in enumerate(numbers):
        pixels = codes(
            shaft=(3, box(2, 2 + i, 6, 4)),
            wrist=(2, box(8, 2 + i, 3, 4)),
            clasper=(1, box(11, 2 + i, 3, 4)),
            second=(3, box(2, 32 - i, 10, 4)),
            needle=(4, box(25, 5, 2, 4)),
            needle_end=(4, box(25, 15, 2, 4)),
        )
        write(folder / f"segmentation/{n:09d}.png", thrice(pixels) if i == 0 else pixels)


def movie(path: Path, frames: int) -> None:
    """A lossless video whose frame n is grey value n."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("ffv1", rate=60)
        stream.height, stream.width = SIZE
        stream.pix_fmt = "bgr0"
        for n in range(frames):
            image = np.full((*SIZE, 3), n, dtype=np.uint8)
            for packet in stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")):
                container.mux(packet)
        for packet in stream.encode():
            container.mux(packet)


def test_unpacked_frames(tmp_path: Path) -> None:
    folder = tmp_path / "in/test/video_41"
    masks(folder)
    for n in range(0, 121, 6):
        picture(folder / f"rgb/{n:09d}.png", seed=n)
    junk(folder, "segmentation", "rgb")
    done = converted("rarp50", tmp_path / "in", tmp_path / "out")
    name = "sar-rarp50_video_41"
    assert list(done.frames(name)) == ["000000", "000060", "000120"]
    assert done.frames(name)["000120"] == {"source_frame": 120, "time_s": 2.0}
    assert sorted(map(str, done.classes(name).values())) == ["None", "None", "suturing needle"]
    assert all(len(frames) == 3 for frames in done.present(name).values())
    video = done.folder.videos[name]
    assert (video.info.fps, video.info.split) == (1.0, "test")


def test_frames_out_of_the_video_file(tmp_path: Path) -> None:
    folder = tmp_path / "in/test/video_42"
    masks(folder)
    movie(folder / "video_left.avi", 121)
    done = converted("sar-rarp50", tmp_path / "in", tmp_path / "out", "link")
    video = done.folder.videos["sar-rarp50_video_42"]
    assert [round(float(video.image(i).mean())) for i in range(3)] == [0, 60, 120]


def test_short_video_and_no_pictures_are_errors(tmp_path: Path) -> None:
    folder = tmp_path / "in/test/video_42"
    masks(folder)
    with pytest.raises(InputError, match=r"video_left.avi or .*rgb/000000000.png; found neither"):
        converted("rarp50", tmp_path / "in", tmp_path / "out")
    movie(folder / "video_left.avi", 70)
    with pytest.raises(InputError, match="expected a frame 120, found 70 frames"):
        converted("rarp50", tmp_path / "in", tmp_path / "out")
    (folder / "video_left.avi").write_bytes(b"not a video")
    with pytest.raises(InputError, match="cannot be read as a video"):
        converted("rarp50", tmp_path / "in", tmp_path / "out")


def test_a_video_of_a_data_set_opens_no_other_file(tmp_path: Path) -> None:
    folder = tmp_path / "in/test/video_42"
    masks(folder)
    movie(tmp_path / "private.avi", 130)
    playlist = f"#EXTM3U\n#EXTINF:5,\n{tmp_path / 'private.avi'}\n#EXT-X-ENDLIST\n"
    (folder / "video_left.avi").write_text(playlist)
    with pytest.raises(InputError, match="an HLS playlist, which opens other files"):
        converted("rarp50", tmp_path / "in", tmp_path / "out")


def test_a_video_damaged_before_its_frame_is_one_error(tmp_path: Path) -> None:
    folder = tmp_path / "in/test/video_42"
    masks(folder)
    movie(folder / "video_left.avi", 130)
    data = bytearray((folder / "video_left.avi").read_bytes())
    data[len(data) // 2 :: 7] = bytes(len(data[len(data) // 2 :: 7]))
    (folder / "video_left.avi").write_bytes(data)
    with pytest.raises(InputError, match=r"broken at frame .* expected a frame"):
        converted("rarp50", tmp_path / "in", tmp_path / "out")


def test_split_parts_share_their_recording(tmp_path: Path) -> None:
    for part in ("video_11_1", "video_11_2"):
        masks(tmp_path / f"in/train1/{part}", (0,))
        picture(tmp_path / f"in/train1/{part}/rgb/000000000.png")
    done = converted("rarp50", tmp_path / "in", tmp_path / "out", subset="all")
    assert {entry["recording"] for entry in done.provenance["videos"].values()} == {
        "rarp50:video_11"
    }
    assert {video.info.split for video in done.folder.videos.values()} == {"extra"}
