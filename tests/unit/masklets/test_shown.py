"""What a picture shows is its mask: every mode, palette, transparency and edge that other programs
write; and numbers where numbers count."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageFilter

from sam2s.convert.sources.base import ReadOptions
from sam2s.convert.sources.common import instances
from sam2s.convert.sources.label_masks import read_threshold
from sam2s.errors import InputError
from sam2s.masklets.annotations import open_annotations
from sam2s.masklets.masks import davis_palette, read_binary_mask, read_index_mask
from sam2s.media.pictures import read_rgb, read_size

SHAPE = np.zeros((24, 40), bool)
SHAPE[5:17, 8:30] = True
WHITE = Image.fromarray(SHAPE * np.uint8(255))
NOISE = np.random.default_rng(0).integers(40, 255, (24, 40, 3), dtype=np.uint8)
Maker = Callable[[Path], None]


def rgba(colour: np.ndarray | tuple[int, int, int], alpha: np.ndarray) -> Image.Image:
    pixels = np.zeros((24, 40, 4), np.uint8)
    pixels[..., :3] = colour
    pixels[..., 3] = alpha
    return Image.fromarray(pixels)


def painted(colour: tuple[int, int, int], ground: tuple[int, int, int] = (0, 0, 0)) -> Image.Image:
    return Image.fromarray(np.where(SHAPE[..., None], colour, ground).astype(np.uint8))


def palette(numbers: np.ndarray, colours: list[int]) -> Image.Image:
    picture = Image.fromarray(numbers.astype(np.uint8))
    picture.putpalette(colours)
    return picture


def png(picture: Image.Image, **options: object) -> Maker:
    return lambda path: picture.save(path, format="PNG", **options)


def tiff(picture: Image.Image, **options: object) -> Maker:
    return lambda path: picture.save(path, format="TIFF", **options)


def jpeg(picture: Image.Image, **options: object) -> Maker:
    return lambda path: picture.save(path, format="JPEG", **options)


SOFT = WHITE.resize((20, 12), Image.Resampling.BOX).resize((40, 24), Image.Resampling.BILINEAR)

PICTURES: dict[str, Maker] = {
    "one bit": png(WHITE.convert("1")),
    "grey": png(WHITE),
    "grey of 1": png(Image.fromarray(SHAPE.astype(np.uint8))),
    "grey of 100": png(Image.fromarray(SHAPE * np.uint8(100))),
    "16 bit": png(Image.fromarray(SHAPE * np.uint16(65535))),
    "16 bit, small number": png(Image.fromarray(SHAPE * np.uint16(300))),
    "32 bit": tiff(Image.fromarray(SHAPE * np.int32(70000))),
    "float of 0 and 1": tiff(Image.fromarray(SHAPE.astype(np.float32))),
    "red": png(painted((255, 0, 0))),
    "dark blue": png(painted((0, 0, 9))),
    "video's black and white": png(painted((235, 235, 235), (16, 16, 16))),
    "bmp": lambda path: WHITE.save(path, format="BMP"),
    # palettes, by colour: the order is the encoder's
    "quantized": png(WHITE.convert("RGB").quantize(2)),
    "quantized, many": png(painted((200, 40, 40)).quantize(16)),
    "white first": png(palette(~SHAPE, [255, 255, 255, 0, 0, 0])),
    "black first": png(palette(SHAPE, [0, 0, 0, 255, 255, 255])),
    "DAVIS, one id": png(palette(SHAPE * 1, davis_palette().ravel().tolist())),
    "DAVIS, id 8, a dark colour": png(palette(SHAPE * 8, davis_palette().ravel().tolist())),
    "DAVIS, two ids": png(
        palette(SHAPE * (1 + (np.arange(40) > 15)), davis_palette().ravel().tolist())
    ),
    "nearly black ground": png(palette(SHAPE * 255, list(range(256)) * 3)),
    "all colours black": png(palette(SHAPE * 1, [0] * 6)),
    "colours beyond the table": png(palette(~SHAPE, [255, 255, 255])),
    "a soft palette": png(SOFT.convert("RGB").quantize(16)),
    # transparency
    "cut out": png(rgba(NOISE, SHAPE * 255)),
    "black on nothing": png(rgba((0, 0, 0), SHAPE * 255)),
    "white on white nothing": png(rgba((255, 255, 255), SHAPE * 255)),
    "soft alpha": png(rgba((255, 255, 255), np.asarray(SOFT))),
    "opaque": png(WHITE.convert("RGBA")),
    "grey and alpha": png(WHITE.convert("LA")),
    "black key": png(painted((9, 200, 9)), transparency=(0, 0, 0)),
    "grey key": png(WHITE, transparency=0),
    "16-bit key": png(Image.fromarray(SHAPE * np.uint16(300)), transparency=0),
    "transparent palette": png(
        palette(SHAPE * 1, [255, 255, 255, 0, 0, 0]), transparency=bytes([0, 255])
    ),
    "one transparent number": png(palette(~SHAPE, [0, 0, 0, 255, 255, 255]), transparency=1),
    # colours of print, and lossy pictures
    "cmyk": tiff(WHITE.convert("RGB").convert("CMYK")),
    "cmyk jpeg": jpeg(WHITE.convert("RGB").convert("CMYK"), quality=90),
    "jpeg": jpeg(WHITE, quality=90),
    "colour jpeg": jpeg(painted((255, 30, 30)), quality=95, subsampling=0),
    "tiff, packed": tiff(WHITE.convert("1"), compression="group4"),
    "tiff of jpeg": tiff(WHITE, compression="jpeg"),
    "tiff, palette": tiff(palette(~SHAPE, [255, 255, 255, 0, 0, 0])),
    # edges
    "soft": png(SOFT),
    "soft and red": png(
        Image.fromarray((np.asarray(SOFT)[..., None] * (1.0, 0.1, 0.1)).astype(np.uint8))
    ),
    "soft 16 bit": png(Image.fromarray(np.asarray(SOFT).astype(np.uint16) * 257)),
}
LOSSY = {"jpeg", "cmyk jpeg", "colour jpeg", "tiff of jpeg"}
EDGES = {"soft", "soft and red", "soft 16 bit", "soft alpha", "a soft palette"}


@pytest.mark.parametrize("kind", sorted(PICTURES))
def test_every_kind_of_picture_shows_the_same_mask(kind: str, tmp_path: Path):
    PICTURES[kind](tmp_path / "m.png")
    mask = read_binary_mask(tmp_path / "m.png")
    assert (mask.dtype, mask.shape) == (bool, SHAPE.shape)
    wrong = np.flatnonzero(mask != SHAPE).size
    assert wrong <= (4 if kind in LOSSY | EDGES else 0)


@pytest.mark.parametrize("value", [0, 100, 127, 128, 255])
def test_soft_edges_are_cut_at_half(value: int, tmp_path: Path):
    pixels = SHAPE * np.uint8(255)
    pixels[4, 8:30] = value
    Image.fromarray(pixels).save(tmp_path / "m.png")
    assert read_binary_mask(tmp_path / "m.png")[4, 8:30].all() == (value >= 128)
    assert read_binary_mask(tmp_path / "m.png")[4, 8:30].any() == (value >= 128)


@pytest.mark.parametrize("radius", [1, 3, 6])
def test_blurred_masks_keep_their_size(radius: int, tmp_path: Path):
    plane = np.zeros((120, 160), bool)
    plane[30:90, 40:120] = True
    picture = Image.fromarray(plane * np.uint8(255)).filter(ImageFilter.GaussianBlur(radius))
    picture.save(tmp_path / "m.png")
    mask = read_binary_mask(tmp_path / "m.png")
    rounded = 4 * radius * radius  # corners lose more than half of what is around them
    assert plane.sum() - rounded <= mask.sum() <= plane.sum()


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["PNG", "JPEG", "TIFF", "packed TIFF"])
def test_orientation_turns_masks_as_frames(kind: str, orientation: int, tmp_path: Path):
    exif = Image.Exif()
    exif[0x0112] = orientation
    pixels = np.zeros((16, 24), np.uint8)
    pixels[:8, :8] = 255
    path = tmp_path / "m"
    compression = {"compression": "tiff_lzw"} if kind == "packed TIFF" else {}
    Image.fromarray(pixels).save(path, format=kind[-4:].strip(), exif=exif, **compression)
    mask, frame = read_binary_mask(path), read_rgb(path)
    assert np.array_equal(mask, frame[..., 0] > 127)
    assert mask.shape == read_size(path) == ((24, 16) if orientation > 4 else (16, 24))
    assert mask.sum() == 64
    corner = mask[:8, :8], mask[:8, -8:], mask[-8:, -8:], mask[-8:, :8]
    assert corner[[0, 1, 2, 3, 0, 1, 2, 3][orientation - 1]].all()
    assert np.array_equal(read_threshold(path), mask)


def test_transparent_corners_are_no_object(tmp_path: Path):
    """A black-and-white mask that an editor has turned by a few degrees."""
    corners = np.add.outer(np.arange(24), np.arange(40)) > 8
    rgba(np.asarray(WHITE.convert("RGB")), corners * 255).save(tmp_path / "m.png")
    assert np.array_equal(read_binary_mask(tmp_path / "m.png"), SHAPE)


def test_several_colours_are_several_parts_of_the_object(tmp_path: Path):
    """A second colour may be darker than half of the first; an edge of either may not."""
    pixels = np.asarray(painted((255, 255, 0))).copy()
    pixels[18:23, 2:12] = (0, 0, 90)
    pixels[4, 8:30] = (60, 60, 0)
    Image.fromarray(pixels).save(tmp_path / "m.png")
    both = SHAPE.copy()
    both[18:23, 2:12] = True
    assert np.array_equal(read_binary_mask(tmp_path / "m.png"), both)


@pytest.mark.parametrize("name", ["black", "white", "transparent", "dark jpeg"])
def test_pictures_of_one_colour(name: str, tmp_path: Path):
    {
        "black": png(Image.new("L", (9, 6))),
        "white": png(Image.new("L", (9, 6), 255)),
        "transparent": png(Image.new("RGBA", (9, 6), (255, 255, 255, 0))),
        "dark jpeg": jpeg(Image.fromarray(np.arange(54, dtype=np.uint8).reshape(6, 9) % 5)),
    }[name](tmp_path / "m")
    assert read_binary_mask(tmp_path / "m").all() == (name == "white")
    assert read_binary_mask(tmp_path / "m").any() == (name == "white")


@pytest.mark.parametrize(
    "maker",
    [
        png(Image.fromarray(SHAPE.astype(np.uint8) + (np.arange(40) > 15).astype(np.uint8))),
        png(Image.fromarray(np.where(SHAPE, 255, 85).astype(np.uint8) * (np.arange(40) > 3))),
        png(Image.fromarray(np.repeat(np.arange(8, dtype=np.uint8), 5)[None].repeat(24, 0))),
        tiff(Image.fromarray(np.where(SHAPE, 0.9, 0.1).astype(np.float32))),
    ],
)
def test_maps_of_ids_and_probabilities_are_no_mask(maker: Maker, tmp_path: Path):
    maker(tmp_path / "m")
    with pytest.raises(InputError, match=r"of several greys|expected True and False"):
        read_binary_mask(tmp_path / "m")


# ---------------------------------------- numbers


def test_ids_are_numbers_whatever_their_colours(tmp_path: Path):
    """YouTube-VOS and other sets have palettes of their own; only background is black in all."""
    numbers = SHAPE * (1 + (np.arange(40) > 15))
    for colours in ([0, 0, 0, 236, 95, 103, 249, 145, 87], [0] * 9, [0, 0, 0, 0, 0, 0, 9, 9, 9]):
        palette(numbers, colours).save(tmp_path / "i.png")
        assert np.array_equal(read_index_mask(tmp_path / "i.png")[0], numbers)


def test_a_palette_renumbered_by_its_colours_is_no_map_of_ids(tmp_path: Path):
    two = palette(~SHAPE, [255, 255, 255, 0, 0, 0])
    two.save(tmp_path / "two.png")
    assert np.array_equal(read_index_mask(tmp_path / "two.png")[0], SHAPE)
    three = palette(SHAPE + (np.arange(40) > 34) * 2, [255, 0, 0, 0, 0, 0, 0, 255, 0])
    three.save(tmp_path / "three.png")
    with pytest.raises(InputError, match="its numbers are no ids"):
        read_index_mask(tmp_path / "three.png")


def test_a_folder_of_soft_white_masks_is_one_object(tmp_path: Path):
    SOFT.save(tmp_path / "0.png")
    masks = open_annotations(tmp_path)
    assert masks.ids() == [1]
    shown = masks.read(1, "0")
    assert shown is not None
    assert np.flatnonzero(shown != SHAPE).size <= 4


def test_ids_beside_void_stay_ids(tmp_path: Path):
    numbers = SHAPE * np.uint8(3)
    numbers[0] = 255
    Image.fromarray(numbers).save(tmp_path / "0.png")
    masks = open_annotations(tmp_path)
    assert masks.ids() == [3]
    assert masks.notes() == ["value 255 was taken as void, not as an object"]


def test_two_masks_of_one_name(tmp_path: Path):
    WHITE.save(tmp_path / "0.png")
    WHITE.save(tmp_path / "0.PNG", format="PNG")
    with pytest.raises(InputError, match=r"two pictures are named '0' \(0\.PNG and 0\.png\)"):
        open_annotations(tmp_path).ids()


def test_other_pictures_among_masks_are_said(tmp_path: Path):
    for name in ("001/0.png", "001/1.bmp", "001/2.webp", "left/0.png"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        WHITE.save(tmp_path / name, format="PNG")
    assert open_annotations(tmp_path).notes() == [
        "1 folders, such as left, are not named by an object's number and were left out",
        "2 pictures, such as 1.bmp, are not PNG files and were left out",
    ]


# ---------------------------------------- conversion


@pytest.mark.parametrize("kind", ["quantized", "white first", "cut out", "grey of 1", "jpeg"])
def test_conversion_reads_black_and_white_by_what_they_show(kind: str, tmp_path: Path):
    path = tmp_path / ("m.jpg" if kind == "jpeg" else "m.png")
    PICTURES[kind](path)
    if kind != "cut out":  # there, numbers would be those of a photograph
        (region,) = instances(path, ReadOptions())
        assert np.flatnonzero(region.mask != SHAPE).size <= 4
        assert region.track == "1"
    if kind != "cut out":
        assert np.flatnonzero(read_threshold(path) != SHAPE).size <= 4


def test_ids_of_a_mask_without_background(tmp_path: Path):
    Image.fromarray(SHAPE.astype(np.uint8) + 1).save(tmp_path / "m.png")
    assert [r.track for r in instances(tmp_path / "m.png", ReadOptions())] == ["1", "2"]
