"""Folders of pictures, single pictures, arrays and iterators as frame sources."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from sam2s.errors import DamagedSource, InputError
from sam2s.media.frames import open_frames
from sam2s.media.pictures import natural_key, read_rgb, read_size
from sam2s.types import Frame

RED = np.broadcast_to(np.array([200, 10, 30], np.uint8), (6, 9, 3))


def grey(value: int, size: tuple[int, int] = (6, 9)) -> np.ndarray:
    return np.full((*size, 3), value, np.uint8)


def save(path: Path, image: np.ndarray | Image.Image, **options: object) -> Path:
    picture = image if isinstance(image, Image.Image) else Image.fromarray(image)
    picture.save(path, **options)
    return path


# ---------------------------------------- folders


def test_a_folder_is_read_in_natural_order(tmp_path: Path):
    names = ["frame10.png", "frame2.PNG", "frame1.bmp", "frame2b.tif", "frame02.tiff"]
    for value, name in enumerate(names):
        save(tmp_path / name, grey(value * 10))
    for other in ["notes.txt", "._frame1.png", ".hidden.jpg"]:
        (tmp_path / other).write_text("not a picture")
    with open_frames(tmp_path) as source:
        assert (source.count, source.count_exact, source.size, source.fps) == (
            5,
            True,
            (6, 9),
            None,
        )
        assert source.name == tmp_path.name
        shown = [int(frame.image[0, 0, 0]) // 10 for frame in source]
        assert [names[i] for i in shown] == [
            "frame1.bmp",
            "frame2.PNG",
            "frame02.tiff",
            "frame2b.tif",
            "frame10.png",
        ]
        assert [source.frame_name(i) for i in range(5)] == [
            "frame1",
            "frame2",
            "frame02",
            "frame2b",
            "frame10",
        ]
        assert [frame.time for frame in source] == [None] * 5


def test_a_given_rate_gives_times(tmp_path: Path):
    for i in range(4):
        save(tmp_path / f"{i}.png", grey(i))
    with open_frames(str(tmp_path), fps=8) as source:
        assert source.fps == 8
        assert [(frame.index, frame.time) for frame in source.frames(2)] == [(2, 0.25), (3, 0.375)]


def test_jpegs_come_as_pillow_reads_them(tmp_path: Path):
    noise = np.random.default_rng(0).integers(0, 256, (40, 30, 3), dtype=np.uint8)
    path = save(tmp_path / "a.jpeg", noise, quality=80)
    (frame,) = open_frames(tmp_path)
    assert np.array_equal(frame.image, np.asarray(Image.open(path)))


def test_a_single_picture_is_a_video_of_one_frame(tmp_path: Path):
    path = save(tmp_path / "still.png", RED)
    with open_frames(path) as source:
        assert (source.count, source.name, source.path) == (1, "still.png", path)
        assert [frame.index for frame in source] == [0]
        assert source.frame_name(0) == "still"


def test_a_folder_without_pictures(tmp_path: Path):
    (tmp_path / "video.mp4").touch()
    with pytest.raises(
        InputError, match="no pictures in this folder; expected files ending in bmp, jpeg"
    ):
        open_frames(tmp_path)


@pytest.mark.parametrize("broken", ["cut", "text", "empty"])
def test_a_damaged_picture_ends_the_folder_after_the_good_ones(broken: str, tmp_path: Path):
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    for i in range(5):
        save(tmp_path / f"{i}.jpg", noise)
    data = (tmp_path / "3.jpg").read_bytes()
    (tmp_path / "3.jpg").write_bytes(
        {"cut": data[: len(data) // 2], "text": b"hello", "empty": b""}[broken]
    )
    frames = []
    with (
        open_frames(tmp_path, fps=10) as source,
        pytest.raises(DamagedSource, match=r"frame 3: .*3\.jpg") as caught,
    ):
        frames.extend(source)
    assert [frame.index for frame in frames] == [0, 1, 2]
    assert (caught.value.index, caught.value.time) == (3, pytest.approx(0.3))


def test_a_damaged_first_picture_is_seen_at_once(tmp_path: Path):
    (tmp_path / "0.png").write_bytes(b"\x89PNG\r\n")
    with (
        open_frames(tmp_path) as source,
        pytest.raises(InputError, match=r"0\.png: not a readable"),
    ):
        _ = source.size


def test_a_picture_of_another_size_ends_the_folder(tmp_path: Path):
    for i in range(2):
        save(tmp_path / f"{i}.png", grey(i))
    save(tmp_path / "2.png", grey(0, (9, 9)))
    with (
        open_frames(tmp_path) as source,
        pytest.raises(DamagedSource, match=r"2\.png is 9 x 9 pixels, .* 9 x 6"),
    ):
        list(source)


# ---------------------------------------- kinds of pictures


def test_kinds_of_pixels(tmp_path: Path):
    plane = np.arange(54, dtype=np.uint8).reshape(6, 9) * 4
    colours = np.dstack([plane, 255 - plane, plane // 2])
    alpha = np.dstack([colours, np.full((6, 9), 7, np.uint8)])
    palette = Image.fromarray(colours).quantize(64)
    cases = {
        "rgb.png": (colours, colours),
        "rgba.png": (alpha, colours),
        "grey.png": (plane, np.dstack([plane] * 3)),
        "grey alpha.png": (Image.fromarray(plane).convert("LA"), np.dstack([plane] * 3)),
        "16 bit.png": (plane.astype(np.uint16) * 257, np.dstack([plane] * 3)),
        "16 bit.tif": (plane.astype(np.uint16) * 257, np.dstack([plane] * 3)),
        "32 bit.tif": (plane.astype(np.int32) * 257, np.dstack([plane] * 3)),
        "palette.png": (palette, np.asarray(palette.convert("RGB"))),
        "bits.png": (plane > 100, np.dstack([(plane > 100) * np.uint8(255)] * 3)),
        "cmyk.tif": (Image.fromarray(colours).convert("CMYK"), colours),
    }
    for name, (stored, expected) in cases.items():
        image = read_rgb(save(tmp_path / name, stored))
        assert image.dtype == np.uint8, name
        assert np.array_equal(image, expected), name


def test_a_palette_with_transparency_keeps_its_colours(tmp_path: Path):
    picture = Image.fromarray(np.ascontiguousarray(RED)).quantize(4)
    path = save(tmp_path / "p.png", picture, transparency=bytes([0, 128, 255, 255]))
    assert np.array_equal(read_rgb(path), RED)


def test_float_pictures_are_refused(tmp_path: Path):
    with pytest.raises(InputError, match="no fixed range"):
        read_rgb(save(tmp_path / "f.tif", np.zeros((4, 4), np.float32)))


def test_a_tiff_of_many_pages_is_refused(tmp_path: Path):
    pages = [Image.fromarray(grey(i)) for i in range(3)]
    save(tmp_path / "stack.tif", pages[0], save_all=True, append_images=pages[1:])
    with pytest.raises(InputError, match="holds 3 pictures"):
        read_rgb(tmp_path / "stack.tif")


@pytest.mark.parametrize("orientation", range(1, 9))
def test_the_camera_orientation_is_honoured(orientation: int, tmp_path: Path):
    y, x = np.mgrid[:16, :24]
    image = np.dstack([y * 15, x * 10, 0 * x]).astype(np.uint8)
    exif = Image.Exif()
    exif[0x0112] = orientation
    path = save(tmp_path / "x.png", image, exif=exif)
    turned = {
        1: image,
        2: image[:, ::-1],
        3: image[::-1, ::-1],
        4: image[::-1],
        5: image.swapaxes(0, 1),
    }
    turned |= {6: np.rot90(image, -1), 7: np.rot90(image, 2).swapaxes(0, 1), 8: np.rot90(image)}
    assert np.array_equal(read_rgb(path), turned[orientation])
    assert read_size(path) == turned[orientation].shape[:2]


def huge_png(path: Path, width: int, height: int) -> Path:
    """A PNG of a few bytes that claims to be very large."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return (
            len(data).to_bytes(4, "big") + kind + data + zlib.crc32(kind + data).to_bytes(4, "big")
        )

    head = width.to_bytes(4, "big") + height.to_bytes(4, "big") + b"\x08\x02\0\0\0"
    path.write_bytes(
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(b""))
    )
    return path


@pytest.mark.parametrize("side", [9_000, 12_000, 60_000])
def test_pictures_over_the_limit_are_refused_before_they_are_decoded(side: int, tmp_path: Path):
    path = huge_png(tmp_path / "bomb.png", side, side)
    with pytest.raises(InputError, match=r"megapixel, the limit is 64|too large"):
        read_rgb(path)
    with (
        pytest.raises(InputError, match=r"megapixel, the limit is 64|too large"),
        open_frames(tmp_path) as source,
    ):
        _ = source.size


def test_the_limit_can_be_set(tmp_path: Path):
    path = save(tmp_path / "a.png", RED)
    assert read_rgb(path, max_pixels=54).shape == (6, 9, 3)
    with pytest.raises(InputError, match=r"9 x 6 is 0\.0 megapixel, the limit is 5\.3e-05"):
        read_rgb(path, max_pixels=53)


def test_files_that_cannot_be_opened(tmp_path: Path):
    with pytest.raises(InputError, match="no such file"):
        read_rgb(tmp_path / "none.png")
    with pytest.raises(InputError, match="is a folder"):
        read_rgb(tmp_path)


def test_natural_order_is_total():
    names = ["a10", "a2", "a02", "A2", "a", "2", "10", "a2b", "b1", "é", ""]
    ordered = sorted(names, key=natural_key)
    assert ordered.index("a2") < ordered.index("a10")
    assert ordered.index("2") < ordered.index("10") < ordered.index("a")
    assert len({natural_key(name) for name in names}) == len(names)


# ---------------------------------------- arrays and iterators


def test_arrays():
    video = np.arange(5 * 6 * 9 * 3, dtype=np.uint32).astype(np.uint8).reshape(5, 6, 9, 3)
    with open_frames(video, fps=2) as source:
        assert (source.count, source.count_exact, source.size, source.name) == (
            5,
            True,
            (6, 9),
            "array",
        )
        assert [frame.time for frame in source] == [0, 0.5, 1, 1.5, 2]
        assert np.array_equal(np.stack([frame.image for frame in source]), video)
        assert [frame.index for frame in source.frames(3)] == [3, 4]
        assert source.frame_name(12) == "00012"
    assert [frame.image.shape for frame in open_frames(RED)] == [(6, 9, 3)]


def test_lists_of_anything_that_is_a_picture(tmp_path: Path):
    path = save(tmp_path / "p.png", RED)
    rgba = np.dstack([RED, np.zeros((6, 9), np.uint8)])
    for item in [RED, rgba, path, str(path), Image.fromarray(np.ascontiguousarray(RED))]:
        for source in [open_frames([item, item]), open_frames(iter([item, item]))]:
            frames = list(source)
            assert len(frames) == 2
            assert all(np.array_equal(frame.image, RED) for frame in frames)
            assert frames[0].image.flags.c_contiguous
    (frame,) = open_frames([RED[..., 0]])
    assert np.array_equal(frame.image, np.dstack([RED[..., 0]] * 3))
    (frame,) = open_frames(Image.fromarray(np.ascontiguousarray(RED)))
    assert np.array_equal(frame.image, RED)


def test_frames_keep_their_index_and_time():
    given = [Frame(4, 1.5, grey(1)), Frame(6, None, grey(2))]
    assert [(frame.index, frame.time) for frame in open_frames(given, fps=25)] == [
        (4, 1.5),
        (6, None),
    ]
    with pytest.raises(InputError, match="frame 4 comes after frame 6"):
        list(open_frames(given[::-1]))


def test_an_iterator_is_read_lazily_and_once():
    drawn = []

    def camera() -> Iterator[np.ndarray]:
        for i in range(5):
            drawn.append(i)
            yield grey(i)

    source = open_frames(camera())
    assert (source.count, source.count_exact, drawn) == (None, False, [])
    assert source.size == (6, 9)
    assert drawn == [0]
    frames = source.frames()
    assert next(frames).index == 0
    assert drawn == [0]
    assert [frame.index for frame in frames] == [1, 2, 3, 4]
    with pytest.raises(InputError, match="can be read once"):
        next(iter(source))


def test_a_list_can_be_read_again():
    source = open_frames([grey(1), grey(2)])
    assert [frame.index for frame in source] == [frame.index for frame in source] == [0, 1]


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ([], "holds no frames"),
        (np.zeros((0, 4, 4, 3), np.uint8), "holds no frames"),
        (np.zeros((4, 4), np.uint8), r"got \(4, 4\)"),
        (3.5, "cannot read frames from float"),
        (None, "cannot read frames from NoneType"),
    ],
)
def test_what_is_no_source(given: object, words: str):
    with pytest.raises(InputError, match=words):
        open_frames(given)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "picture",
    [
        np.zeros((3, 5, 5), np.uint8),
        np.zeros((4, 4, 3), np.float32),
        np.zeros((4, 4, 3), np.uint16),
        np.zeros((0, 4, 3), np.uint8),
        np.zeros(4, np.uint8),
    ],
)
def test_what_is_no_picture(picture: np.ndarray):
    with pytest.raises(InputError, match=r"frame 1: expected a \(height, width, 3\) uint8"):
        list(open_frames([np.zeros((4, 4, 3), np.uint8), picture]))


def test_an_empty_iterator_holds_no_frames():
    with pytest.raises(InputError, match="holds no frames"):
        list(open_frames(iter([])))


def test_arrays_obey_the_limit_and_keep_one_size():
    with pytest.raises(InputError, match="the limit is"):
        list(open_frames([grey(1)], max_pixels=10))
    with pytest.raises(DamagedSource, match="frame 1: the picture is 4 x 5 pixels"):
        list(open_frames([grey(1), grey(1, (5, 4))]))
