"""Healthy inputs of every kind, and ways to damage them; for ``fuzz.py``.

A video's frames carry their number (as ``tests/footage.py``'s do not need to here: only their count
matters). Everything is made on the spot with PyAV, Pillow and the product itself.
"""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import torch
from PIL import Image

FRAMES, HEIGHT, WIDTH = 24, 96, 128


@dataclass(frozen=True)
class Healthy:
    """An input that is well: a file, or a folder of which one file at a time is damaged.

    ``kind``: who reads it; ``frames``: how many a video holds; ``tells``: its format says how many,
    or where it ends, so that a loss can be seen at all; ``repeats``: how many of those that it
    states are empty chunks (AVI).
    """

    name: str
    kind: str
    path: Path
    frames: int = 0
    tells: bool = True
    parts: tuple[str, ...] = ()
    repeats: int = 0


# ---------------------------------------- videos


@dataclass(frozen=True)
class Recipe:
    """How a video is encoded; ``sound`` adds a track of it, as every camera does."""

    suffix: str
    codec: str
    pixels: str = "yuv420p"
    options: dict[str, str] = field(default_factory=dict)
    muxer: dict[str, str] = field(default_factory=dict)
    sound: str | None = None
    size: tuple[int, int] = (HEIGHT, WIDTH)
    tells: bool = True
    gaps: bool = False
    rate: int = 25


NO_B, B = {"bf": "0"}, {"bf": "2"}
FRAGMENTS = {"movflags": "frag_keyframe+empty_moov"}
RECIPES = {
    "mp4": Recipe(".mp4", "libx264", options=B, sound="aac"),
    "mp4 index first": Recipe(".mp4", "libx264", options=B, muxer={"movflags": "faststart"}),
    "mp4 fragments": Recipe(".mp4", "libx264", options=NO_B, muxer=FRAGMENTS, sound="aac"),
    "mp4 hevc": Recipe(".mp4", "libx265", options={"x265-params": "log-level=none"}),
    "mp4 av1": Recipe(".mp4", "libsvtav1", options={"preset": "12"}),
    "mp4 mpeg4": Recipe(".mp4", "mpeg4", options=B),
    "mov mjpeg": Recipe(".mov", "mjpeg", "yuvj420p", sound="pcm_s16le"),
    "mov png": Recipe(".mov", "png", "rgb24"),
    "mov prores": Recipe(".mov", "prores_ks", "yuv422p10le"),
    "mov raw": Recipe(".mov", "rawvideo", "uyvy422"),
    "3gp": Recipe(".3gp", "h263", size=(144, 176)),
    "mkv": Recipe(".mkv", "libx264", options=B, sound="aac"),
    "mkv gaps": Recipe(".mkv", "libx264", options=B, gaps=True),
    "mkv hevc": Recipe(".mkv", "libx265", options={"x265-params": "log-level=none"}),
    "mkv ffv1": Recipe(".mkv", "ffv1"),
    "mkv ffv1 unchecked": Recipe(".mkv", "ffv1", options={"level": "1"}),
    "mkv mjpeg": Recipe(".mkv", "mjpeg", "yuvj420p"),
    "mkv mpeg2": Recipe(".mkv", "mpeg2video"),
    "mkv live": Recipe(".mkv", "libx264", options=NO_B, muxer={"live": "1"}, tells=False),
    "webm vp8": Recipe(".webm", "libvpx", options={"auto-alt-ref": "1", "lag-in-frames": "16"}),
    "webm vp9": Recipe(".webm", "libvpx-vp9", options={"cpu-used": "6"}, sound="libopus"),
    "webm av1": Recipe(".webm", "libsvtav1", options={"preset": "12"}),
    "avi mpeg4": Recipe(".avi", "mpeg4", options=B, sound="mp2"),
    "avi mpeg4 gaps": Recipe(".avi", "mpeg4", options=NO_B, gaps=True),
    "avi h264": Recipe(".avi", "libx264", options=B, sound="mp2"),
    "avi mjpeg": Recipe(".avi", "mjpeg", "yuvj420p", sound="pcm_s16le"),
    "avi raw": Recipe(".avi", "rawvideo", "bgr24"),
    "avi huffyuv": Recipe(".avi", "huffyuv", "yuv422p"),
    "avi ffv1": Recipe(".avi", "ffv1"),
    "avi wmv": Recipe(".avi", "wmv2"),
    "flv": Recipe(".flv", "libx264", options=NO_B, sound="aac", tells=False),
    "wmv": Recipe(".wmv", "wmv2", sound="mp2"),
    "mxf": Recipe(".mxf", "mpeg2video"),
    "nut": Recipe(".nut", "ffv1", tells=False),
    "ts": Recipe(".ts", "libx264", options=B, sound="mp2", tells=False),
    "ts mpeg2": Recipe(".ts", "mpeg2video", tells=False),
    "ts hevc": Recipe(".ts", "libx265", options={"x265-params": "log-level=none"}, tells=False),
    "mpg": Recipe(".mpg", "mpeg2video", sound="mp2", tells=False),
    "dv": Recipe(".dv", "dvvideo", size=(576, 720), tells=False),
    "gif": Recipe(".gif", "gif", "rgb8"),
    "apng": Recipe(".png", "apng", "rgb24", muxer={"plays": "0"}),
    "ivf": Recipe(".ivf", "libvpx"),
    "y4m": Recipe(".y4m", "wrapped_avframe"),
    "raw h264": Recipe(".h264", "libx264", options=B, tells=False),
    "raw hevc": Recipe(".hevc", "libx265", options={"x265-params": "log-level=none"}, tells=False),
    "raw mjpeg": Recipe(".mjpeg", "mjpeg", "yuvj420p", tells=False),
    "raw mpeg4": Recipe(".m4v", "mpeg4", tells=False),
}


def picture(index: int, size: tuple[int, int] = (HEIGHT, WIDTH)) -> np.ndarray:
    """A textured ground over which a square moves, (H, W, 3) uint8."""
    y, x = np.mgrid[: size[0], : size[1]]
    ground = 90 + 40 * np.sin(x / 7) * np.cos(y / 9) + 10 * np.sin(x * y / 50)
    image = np.stack([ground * 1.4, ground * 0.7, ground * 0.6], axis=-1).clip(0, 255)
    left = (10 + 3 * index) % (size[1] - 30)
    image[20 : 20 + size[0] // 4, left : left + 24] = (190, 200, 215)
    return image.astype(np.uint8)


def write_video(path: Path, recipe: Recipe) -> None:
    """Encode ``FRAMES`` pictures, and silence beside them where there is sound."""
    form = "apng" if recipe.codec == "apng" else None
    with av.open(str(path), "w", format=form, options=recipe.muxer) as container:
        stream = container.add_stream(recipe.codec, rate=recipe.rate, options=recipe.options)
        stream.height, stream.width = recipe.size
        stream.pix_fmt, stream.gop_size = recipe.pixels, 8
        sound = container.add_stream(recipe.sound, rate=48000) if recipe.sound else None
        for index in range(FRAMES):
            frame = av.VideoFrame.from_ndarray(picture(index, recipe.size), format="rgb24")
            frame = frame.reformat(format=recipe.pixels)
            frame.pts = index + (4 * (index // 5) if recipe.gaps else 0)  # 16 in all
            frame.time_base = Fraction(1, recipe.rate)
            container.mux(stream.encode(frame))
            if sound is not None:
                container.mux(sound.encode(_silence(index, sound)))
        container.mux(stream.encode(None))
        if sound is not None:
            container.mux(sound.encode(None))


def _silence(index: int, sound: av.AudioStream) -> av.AudioFrame:
    context = sound.codec_context
    planes = len(context.layout.channels)
    form = context.format.name
    kind = {"s16": np.int16, "s16p": np.int16, "flt": np.float32, "fltp": np.float32}[form]
    shape = (planes, 1920) if context.format.is_planar else (1, 1920 * planes)
    frame = av.AudioFrame.from_ndarray(
        np.zeros(shape, kind), format=form, layout=context.layout.name
    )
    frame.sample_rate, frame.pts, frame.time_base = 48000, index * 1920, Fraction(1, 48000)
    return frame


def videos(folder: Path) -> Iterator[Healthy]:
    """A video of every container and codec that this FFmpeg can write."""
    for name, recipe in RECIPES.items():
        path = folder / f"{name.replace(' ', '_')}{recipe.suffix}"
        try:
            write_video(path, recipe)
        except (av.error.FFmpegError, av.codec.codec.UnknownCodecError, ValueError) as error:
            print(f"left out: {name} ({error})")
            path.unlink(missing_ok=True)
            continue
        repeats = 16 if recipe.gaps and recipe.suffix == ".avi" else 0
        yield Healthy(name, "video", path, FRAMES, recipe.tells, repeats=repeats)


# ---------------------------------------- pictures and masks


def pictures(folder: Path) -> Iterator[Healthy]:
    """A picture, and a mask, of every kind that is read; the animations are videos."""
    image = Image.fromarray(picture(3))
    grey = image.convert("L")
    mask = grey.point(lambda value: 255 * (value > 150))
    palette = mask.point(lambda value: value // 255).convert("P")
    palette.putpalette([0, 0, 0, 236, 95, 103, 249, 145, 87])
    deep = Image.fromarray(np.asarray(grey).astype(np.uint16) * 257)
    kinds = {
        "jpeg": (image, "x.jpg", {}),
        "jpeg progressive": (image, "x.jpg", {"progressive": True}),
        "jpeg cmyk": (image.convert("CMYK"), "x.jpg", {}),
        "png": (image, "x.png", {}),
        "png alpha": (image.convert("RGBA"), "x.png", {}),
        "png 16 bit": (deep, "x.png", {}),
        "tiff": (image, "x.tif", {}),
        "tiff lzw": (image, "x.tif", {"compression": "tiff_lzw"}),
        "tiff jpeg": (image, "x.tif", {"compression": "jpeg"}),
        "bmp": (image, "x.bmp", {}),
        "bmp rle": (palette, "x.bmp", {}),
        "mask": (mask, "m.png", {}),
        "mask palette": (palette, "m.png", {}),
        "mask 1 bit": (mask.convert("1"), "m.png", {}),
        "mask tiff": (mask, "m.tif", {}),
        "mask jpeg": (mask, "m.jpg", {}),
    }
    for name, (content, file, options) in kinds.items():
        path = folder / name.replace(" ", "_") / file
        path.parent.mkdir()
        content.save(path, **options)
        yield Healthy(name, "mask" if name.startswith("mask") else "picture", path)


# ---------------------------------------- weights and catalogues


def weights(folder: Path) -> Iterator[Healthy]:
    """Small models: a saved folder, one file, and Meta's kind of checkpoint."""
    from sam2s.model.presets import preset
    from sam2s.model.sam2s import build_model
    from sam2s.weights.save import save_model

    small = preset(
        "nano",
        image_size=64,
        trunk_dim=8,
        trunk_blocks=(1, 1, 1, 1),
        dim=32,
        memory_dim=16,
        decoder_mlp_dim=32,
        iou_head_dim=16,
        memory_layers=1,
        memory_mlp_dim=32,
    )
    model = build_model(small).eval()
    saved = save_model(model, folder / "saved")
    files = tuple(sorted(p.name for p in saved.iterdir()))
    yield Healthy("model folder", "weights", saved, parts=files)
    torch.save({"model": model.state_dict()}, folder / "meta.pt")
    yield Healthy("checkpoint", "weights", folder / "meta.pt")


def catalogues(folder: Path) -> Iterator[Healthy]:
    """Folders of annotated videos in the masklet layout, and results in both layouts."""
    from sam2s.cli import main

    made = folder / "masklets"
    main(["synth", str(made), "--videos", "2", "--frames", "4", "--size", "64", "--split", "test"])
    texts = tuple(
        sorted(
            str(p.relative_to(made))
            for p in made.rglob("*")
            if p.suffix in (".json", ".png") and "JPEGImages" not in p.parts
        )
    )
    yield Healthy("masklet folder", "catalogue", made, parts=texts)
    frames = tuple(sorted(str(p.relative_to(made)) for p in made.rglob("*.jpg")))
    yield Healthy("masklet pictures", "catalogue", made, parts=frames)
    yield from _data_sets(folder)


def _data_sets(folder: Path) -> Iterator[Healthy]:
    """Two data sets as they are published, one with masks as pictures, one with polygons."""
    davis, polygons = folder / "davis", folder / "polygons"
    names = []
    for index in range(3):
        image = Image.fromarray(picture(index))
        mask = image.convert("L").point(lambda value: int(value > 150)).convert("P")
        mask.putpalette([0, 0, 0, 128, 0, 0])
        frame = f"train/VID01_t50_full/img_dir/t50_VID01_{index:06d}.png"
        label = f"train/VID01_t50_full/ann_dir/t50_VID01_{index:06d}.json"
        shape = {
            "label": "grasper",
            "points": [[10.0, 10.0], [60.5, 12.0], [50.0, 70.0]],
            "group_id": 1,
            "shape_type": "polygon",
        }
        shown = {
            davis / f"JPEGImages/480p/bear/{index:05d}.jpg": image,
            davis / f"Annotations/480p/bear/{index:05d}.png": mask,
            polygons / frame: image,
        }
        for path, content in shown.items():
            path.parent.mkdir(parents=True, exist_ok=True)
            content.save(path)
        (polygons / label).parent.mkdir(parents=True, exist_ok=True)
        (polygons / label).write_text(json.dumps({"version": "5", "shapes": [shape]}))
        names += [frame, label, label]
    files = tuple(sorted(str(p.relative_to(davis)) for p in davis.rglob("*.*")))
    yield Healthy("masks to convert", "catalogue", davis, parts=files)
    yield Healthy("polygons to convert", "catalogue", polygons, parts=tuple(names))


# ---------------------------------------- damage


def damaged(dice: random.Random, data: bytes, other: bytes) -> tuple[str, bytes]:
    """What was done, and ``data`` after it; ``other``: another file, of which a part may go in."""
    ways = (_zeros, _noise, _flips, _cut, _gap, _doubled, _spliced, _numbers, _tail)
    way = dice.choice(ways)
    return way.__name__[1:], way(dice, data, other)


def _block(dice: random.Random, data: bytes) -> tuple[int, int]:
    length = min(len(data), dice.choice([1, 16, 64, 188, 600, 4096, 20000]))
    start = dice.randrange(max(1, len(data) - length + 1))
    return start, start + length


def _zeros(dice: random.Random, data: bytes, _: bytes) -> bytes:
    start, end = _block(dice, data)
    return data[:start] + bytes(end - start) + data[end:]


def _noise(dice: random.Random, data: bytes, _: bytes) -> bytes:
    start, end = _block(dice, data)
    return data[:start] + dice.randbytes(end - start) + data[end:]


def _flips(dice: random.Random, data: bytes, _: bytes) -> bytes:
    changed = bytearray(data)
    first = dice.choice([len(data), min(len(data), 512)])  # anywhere, or in the head
    for _ in range(dice.choice([1, 1, 4, 32])):
        changed[dice.randrange(first)] ^= 1 << dice.randrange(8)
    return bytes(changed)


def _cut(dice: random.Random, data: bytes, _: bytes) -> bytes:
    return data[: dice.randrange(len(data))]


def _gap(dice: random.Random, data: bytes, _: bytes) -> bytes:
    start, end = _block(dice, data)
    return data[:start] + data[end:]


def _doubled(dice: random.Random, data: bytes, _: bytes) -> bytes:
    start, end = _block(dice, data)
    return data[:end] + data[start:end] + data[end:]


def _spliced(dice: random.Random, data: bytes, other: bytes) -> bytes:
    start, end = _block(dice, data)
    place = dice.randrange(max(1, len(other) - (end - start)))
    return data[:start] + other[place : place + end - start] + data[end:]


def _numbers(dice: random.Random, data: bytes, _: bytes) -> bytes:
    """A length or a count that says the most, the least, or next to nothing."""
    changed = bytearray(data)
    for _ in range(dice.choice([1, 3])):
        width = dice.choice([1, 2, 4, 8])
        place = dice.randrange(max(1, len(data) - width))
        value = dice.choice([0, 1, (1 << 8 * width) - 1, 1 << (8 * width - 1)])
        changed[place : place + width] = value.to_bytes(width, dice.choice(["big", "little"]))
    return bytes(changed)


def _tail(dice: random.Random, data: bytes, _: bytes) -> bytes:
    """Zeros from somewhere to the end, as a copy leaves that was broken off."""
    place = dice.randrange(len(data))
    return data[:place] + bytes(len(data) - place)


def damaged_json(dice: random.Random, data: bytes) -> tuple[str, bytes]:
    """JSON that is well-formed, with a value, a key or a depth that nobody expects."""
    content = json.loads(data)
    places = list(_places(content))
    if not places:
        return "json empty", b"null"
    parent, key = dice.choice(places)
    values = [None, True, 0, -1, 1e308, 2**70, "", "x" * 5000, "../../x", "\x1b[2J", [], {}, [[]]]
    match dice.choice(["value", "value", "value", "gone", "key", "deep", "nan"]):
        case "gone":
            del parent[key]
        case "key" if isinstance(parent, dict):
            parent[dice.choice(["", "../x", "-1", "a" * 300, "\0"])] = parent.pop(key)
        case "deep":
            text = json.dumps(content)
            return "json deep", text.replace(":", ":" + "[" * 5000, 1).encode()
        case "nan":
            parent[key] = float(dice.choice(["nan", "inf"]))
        case _:
            parent[key] = dice.choice(values)
    return "json", json.dumps(content).encode()


def _places(content: object) -> Iterator[tuple[dict | list, str | int]]:
    if isinstance(content, dict | list):
        keys = list(content) if isinstance(content, dict) else range(len(content))
        for key in keys:
            yield content, key
            yield from _places(content[key])


def healthy(folder: Path, kinds: list[str]) -> list[Healthy]:
    """Every input of the kinds that were asked for, made under ``folder``."""
    makers = {
        "video": videos,
        "picture": pictures,
        "weights": weights,
        "catalogue": catalogues,
    }
    found = []
    for kind in kinds:
        place = folder / kind
        place.mkdir()
        found += [replace(item) for item in makers[kind](place)]
    return found
