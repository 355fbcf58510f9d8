"""Pictures of strangers: files of other kinds under a picture's name, bombs, damage of every sort,
names that collide, kinds that are left out."""

from __future__ import annotations

import io
import os
import struct
import threading
import warnings
import zlib
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from sam2s.convert.sources.label_masks import read_codes, read_threshold
from sam2s.errors import DamagedSource, Doubt, InputError
from sam2s.masklets.masks import read_binary_mask, read_index_mask
from sam2s.media.frames import open_frames
from sam2s.media.pictures import DamagedPicture, list_pictures, read_rgb, read_size

GREY = np.full((6, 9), 120, np.uint8)
EPS = "%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 64 64\n%%EndComments\nshowpage\n%%EOF\n"


def tiff(tags: dict[int, tuple[int, list[int]]], data: bytes) -> bytes:
    """A little-endian TIFF of one directory; ``tags``: {number: (type, values)}, data at 1000."""
    sizes = {3: 2, 4: 4}
    entries = b""
    for tag, (kind, values) in sorted(tags.items()):
        packed = b"".join(value.to_bytes(sizes[kind], "little") for value in values)
        entries += struct.pack("<HHI", tag, kind, len(values)) + packed.ljust(4, b"\0")
    head = b"II*\0" + struct.pack("<IH", 8, len(tags)) + entries + bytes(4)
    return head.ljust(1000, b"\0") + data


# ---------------------------------------- other kinds of files


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".tif", ".bmp"])
def test_postscript_starts_no_program(suffix: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "gs").write_text(f"#!/bin/sh\ntouch {tmp_path}/ran\n")
    (tmp_path / "gs").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    path = tmp_path / f"001{suffix}"
    path.write_text(EPS)
    for read in (read_rgb, read_size, read_binary_mask, read_index_mask):
        with pytest.raises(DamagedPicture, match="not JPEG, PNG, TIFF or BMP"):
            read(path)
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("kind", ["GIF", "WEBP", "PPM", "ICO", "TGA", "PCX", "JPEG2000", "PDF"])
def test_other_kinds_are_not_opened_whatever_they_are_called(kind: str, tmp_path: Path):
    path = tmp_path / "001.png"
    try:
        Image.fromarray(GREY).convert("RGB").save(path, format=kind)
    except (KeyError, OSError):
        pytest.skip(f"Pillow was built without {kind}")
    with pytest.raises(DamagedPicture, match="not JPEG, PNG, TIFF or BMP"):
        read_rgb(path)


def test_the_suffix_does_not_say_which_of_the_four_it_is(tmp_path: Path):
    for kind in ("JPEG", "PNG", "TIFF", "BMP"):
        path = tmp_path / f"{kind}.jpg"
        Image.fromarray(GREY).save(path, format=kind)
        assert abs(int(read_rgb(path)[0, 0, 0]) - 120) <= 1


def test_a_jpeg_with_a_second_picture_shows_its_first(tmp_path: Path):
    """Telephones and stereo cameras append a preview, or the other eye (MPO)."""
    first, second = Image.fromarray(GREY), Image.fromarray(255 - GREY)
    first.save(tmp_path / "m.jpg", format="MPO", save_all=True, append_images=[second])
    assert abs(int(read_rgb(tmp_path / "m.jpg")[0, 0, 0]) - 120) <= 1


def test_animations_are_no_single_picture(tmp_path: Path):
    pages = [Image.fromarray(GREY + i) for i in range(3)]
    for kind in ("PNG", "TIFF"):
        path = tmp_path / "a.png"
        pages[0].save(path, format=kind, save_all=True, append_images=pages[1:])
        for read in (read_rgb, read_binary_mask, read_index_mask):
            with pytest.raises(InputError, match="holds 3 pictures"):
                read(path)


# ---------------------------------------- bombs


@pytest.mark.parametrize(("width", "height"), [(30_000, 30_000), (65_520, 32_760), (1 << 31, 16)])
def test_tiles_of_a_tiff_are_not_larger_than_its_picture(width: int, height: int, tmp_path: Path):
    """8 x 8 pixels in a tile of two gigabytes: libtiff makes room for the tile."""
    data = zlib.compress(bytes(100))
    tags = {256: 8, 257: 8, 258: 8, 259: 8, 262: 1, 277: 1}
    tags |= {322: width, 323: height, 324: 1000, 325: len(data)}
    path = tmp_path / "bomb.tif"
    path.write_bytes(tiff({tag: (4, [value]) for tag, value in tags.items()}, data))
    with pytest.raises(DamagedPicture, match="its tiles are"):
        read_rgb(path)


def test_tiles_a_little_larger_than_the_picture_are_usual(tmp_path: Path):
    path = tmp_path / "t.tif"
    data = zlib.compress(bytes([7]) * 256 * 256)
    tags = {256: 8, 257: 8, 258: 8, 259: 8, 262: 1, 277: 1}
    tags |= {322: 256, 323: 256, 324: 1000, 325: len(data)}
    path.write_bytes(tiff({tag: (4, [value]) for tag, value in tags.items()}, data))
    assert (read_rgb(path) == 7).all()
    assert read_size(path) == (8, 8)


def test_compressed_texts_of_a_png_are_bounded(tmp_path: Path):
    def chunk(kind: bytes, data: bytes) -> bytes:
        return (
            struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        )

    path = tmp_path / "a.png"
    Image.fromarray(GREY).save(path)
    data = path.read_bytes()
    text = chunk(b"zTXt", b"Comment\0\0" + zlib.compress(bytes(200_000_000), 9))
    path.write_bytes(data[:33] + text + data[33:])
    with pytest.raises(DamagedPicture):
        read_rgb(path)


# ---------------------------------------- damage


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "TIFF", "BMP"])
def test_whatever_pillow_makes_of_damage_is_one_error(kind: str, tmp_path: Path):
    """Bytes changed, cut and doubled at places drawn at random."""
    path = tmp_path / "a"
    noise = np.random.default_rng(0).integers(0, 256, (40, 60, 3), dtype=np.uint8)
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(noise).save(path, format=kind, **({} if kind == "BMP" else {"exif": exif}))
    whole, rng = path.read_bytes(), np.random.default_rng(1)
    for _ in range(150):
        data = bytearray(whole)
        for place in rng.integers(0, min(len(data), 400), rng.integers(1, 6)):
            data[place] = rng.integers(0, 256)
        path.write_bytes(bytes(data[: len(data) - int(rng.integers(0, 2) * rng.integers(1, 900))]))
        for read in (read_rgb, read_size, read_binary_mask, read_index_mask):
            with suppress(InputError):
                read(path)


def plain_variants() -> dict[str, bytes]:
    """Palettes, keys and alpha, greys of 16 bit, CMYK and floats: what each needs is converted
    after it was decoded."""
    shape = np.pad(np.full((9, 20), 255, np.uint8), 6)
    grey = Image.fromarray(shape)
    few = grey.convert("RGB").quantize(4)
    kinds: dict[str, tuple[Image.Image, str, dict[str, object]]] = {
        "palette, one clear": (few, "PNG", {"transparency": 1}),
        "palette, some clear": (few, "PNG", {"transparency": bytes([0, 100, 255])}),
        "grey key": (grey, "PNG", {"transparency": 0}),
        "colour key": (grey.convert("RGB"), "PNG", {"transparency": (0, 0, 0)}),
        "alpha": (grey.convert("LA"), "PNG", {}),
        "16 bit": (Image.fromarray(shape * np.uint16(257)), "PNG", {"transparency": 0}),
        "cmyk": (grey.convert("RGB").convert("CMYK"), "TIFF", {}),
        "float": (Image.fromarray(shape.astype(np.float32)), "TIFF", {}),
        "turned": (grey, "TIFF", {"tiffinfo": {0x0112: 6}}),
        "palette": (few, "BMP", {}),
    }
    made = {}
    for name, (picture, kind, options) in kinds.items():
        file = io.BytesIO()
        picture.save(file, format=kind, **options)
        made[name] = file.getvalue()
    return made


@pytest.mark.filterwarnings("ignore::sam2s.errors.Doubt")
@pytest.mark.parametrize("kind", sorted(plain_variants()))
def test_damage_of_rarer_kinds_is_one_error(kind: str, tmp_path: Path):
    path, whole, rng = tmp_path / "a", plain_variants()[kind], np.random.default_rng(2)
    for _ in range(60):
        data = bytearray(whole)
        for place in rng.integers(0, min(len(data), 300), rng.integers(1, 4)):
            data[place] = rng.integers(0, 256)
        path.write_bytes(with_checksums(bytes(data)))
        for read in (read_rgb, read_binary_mask, read_index_mask, read_codes, read_threshold):
            with suppress(InputError):
                read(path)


def with_checksums(png: bytes) -> bytes:
    """The chunks of a damaged PNG made to look sound, so that their content is read."""
    if png[:8] != b"\x89PNG\r\n\x1a\n":
        return png
    made, at = png[:8], 8
    while (end := at + 8 + int.from_bytes(png[at : at + 4], "big")) + 4 <= len(png):
        made += png[at:end] + struct.pack(">I", zlib.crc32(png[at + 4 : end]))
        at = end + 4
    return made + png[at:]


def test_pillows_own_warnings_are_not_the_users(tmp_path: Path):
    """Odd EXIF blocks are met everywhere, and a warning for each would fill the terminal."""
    path = tmp_path / "a.jpg"
    Image.fromarray(GREY).save(path, exif=b"Exif\0\0II*\0\x08\0\0\0\xff\xff")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        read_rgb(path)
        read_size(path)


def test_filters_of_warnings_survive_reading_on_threads(tmp_path: Path):
    path = tmp_path / "a.png"
    Image.fromarray(GREY).save(path)
    before = list(warnings.filters)
    threads = [
        threading.Thread(target=lambda: [read_rgb(path) for _ in range(40)]) for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert list(warnings.filters) == before


# ---------------------------------------- folders


@pytest.mark.parametrize("names", [("00000.png", "00000.jpg"), ("a.png", "a.PNG")])
def test_two_pictures_of_one_name_are_refused_before_the_first_frame(
    names: tuple[str, str], tmp_path: Path
):
    for name in names:
        Image.fromarray(GREY).save(tmp_path / name, format="PNG")
    with pytest.raises(InputError, match=r"two pictures are named '(00000|a)'.*keep one"):
        open_frames(tmp_path)


def test_names_that_differ_stay_apart(tmp_path: Path):
    for name in ("a.png", "a.b.png", "a.b.c.jpg", "1.png", "01.png"):
        Image.fromarray(GREY).save(tmp_path / name)
    assert open_frames(tmp_path).count == 5


@pytest.mark.parametrize("name", ["b.webp", "b.GIF", "b.jfif", "b.heic", "b.jp2", "b.dcm"])
def test_a_picture_that_is_left_out_is_said(name: str, tmp_path: Path):
    Image.fromarray(GREY).save(tmp_path / "a.png")
    (tmp_path / name).write_bytes(b"whatever")
    (tmp_path / "notes.txt").write_text("no picture")
    (tmp_path / "._b.webp").write_text("of a desktop")
    source = open_frames(tmp_path)
    assert source.count == 1
    assert source.notes == [
        f"left out 1 picture of unsupported formats, such as {name}; save them as jpg, png, tif"
        " or bmp"
    ]


def test_a_folder_of_other_pictures_only(tmp_path: Path):
    (tmp_path / "a.webp").write_bytes(b"whatever")
    with pytest.raises(
        InputError, match=r"no pictures in this folder; .* found files such as a\.webp"
    ):
        open_frames(tmp_path)


@pytest.mark.timeout(10)
def test_pipes_and_folders_among_pictures(tmp_path: Path):
    Image.fromarray(GREY).save(tmp_path / "0.png")
    os.mkfifo(tmp_path / "1.jpg")
    with pytest.raises(InputError, match=r"1\.jpg: is a named pipe"):
        open_frames(tmp_path)
    with pytest.raises(InputError, match=r"1\.jpg: is a named pipe"):
        list_pictures(tmp_path)
    with pytest.raises(InputError, match="is a named pipe"):
        read_binary_mask(tmp_path / "1.jpg")
    (tmp_path / "1.jpg").unlink()
    (tmp_path / "1.jpg").mkdir()
    with pytest.raises(DamagedSource, match="is a folder"):
        list(open_frames(tmp_path))


@pytest.mark.parametrize("dtype", [np.uint16, np.int32])
def test_twelve_bits_in_sixteen_are_said(dtype: type, tmp_path: Path):
    path = tmp_path / "a.tif"
    Image.fromarray(GREY.astype(dtype) * 16).save(path)
    with pytest.warns(Doubt, match="10 or 12 bit"):
        (frame,) = open_frames(path)
    assert frame.image.max() == 7


@pytest.mark.parametrize("value", [0, 4096, 65535])
def test_sixteen_bits_and_wholly_black_ones_are_not(value: int, tmp_path: Path):
    path = tmp_path / "a.png"
    Image.fromarray(np.full((6, 9), value, np.uint16)).save(path)
    assert read_rgb(path).max() == value >> 8
