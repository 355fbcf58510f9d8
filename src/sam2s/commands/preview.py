"""``sam2s preview``: one frame, with its pixels counted and what prompts give on it."""

from __future__ import annotations

import numpy as np
from PIL import Image, ImageDraw

from sam2s.commands.options import Preview
from sam2s.commands.prompts import parse_prompts
from sam2s.commands.terminal import say
from sam2s.errors import InputError
from sam2s.export.overlay import colour_of, draw_overlay
from sam2s.export.ruler import with_rulers
from sam2s.files import check_file, replacing
from sam2s.media.frames import open_frames
from sam2s.media.random_access import RandomAccess
from sam2s.tracking.session.action_file import parse_time
from sam2s.tracking.tracker import Tracker
from sam2s.types import Frame, FrameResult, Points, Prompt
from sam2s.weights.load import load_model

SUFFIXES = (".png", ".jpg", ".jpeg")


def run(options: Preview) -> int:
    """Write the picture and say what it shows."""
    if options.out.suffix.lower() not in SUFFIXES:
        raise InputError(f"{options.out}: the picture's name must end in {', '.join(SUFFIXES)}")
    prompts: dict[int, list[Prompt]] = {}
    if options.click or options.box or options.mask:
        prompts = parse_prompts(options.click, options.box, options.mask)
    check_file(options.out)
    frame = _frame(options)
    image, result = frame.image, None
    if prompts:
        result = _look(options, frame, prompts)
        image = _with_clicks(draw_overlay(image, result), prompts)
    with replacing(options.out) as hidden:
        Image.fromarray(with_rulers(image)).save(hidden, format=_format(options.out.suffix))
    at = "" if frame.time is None else f" ({frame.time:.3f} s)"
    say(f"frame {frame.index}{at}, {frame.size[1]} x {frame.size[0]} pixels: {options.out}")
    if result is not None:
        _tell(result)
    return 0


def _tell(result: FrameResult) -> None:
    for object_id in sorted(result.masks):
        name = f" {result.classes[object_id]}" if object_id in result.classes else ""
        share, score = 100 * result.masks[object_id].mean(), result.scores[object_id]
        say(f"object {object_id}{name}: score {score:.2f}, {share:.1f} % of the picture")


def _frame(options: Preview) -> Frame:
    with open_frames(options.source) as source:
        access = RandomAccess(source)
        index = options.frame
        if options.time is not None:
            seconds = parse_time(options.time)
            if seconds is None:
                raise InputError(f"--time {options.time}: expected MM:SS, HH:MM:SS or SECONDS")
            index = access.at(seconds)
        # One frame: reading up to it is quicker than an index of the whole video.
        found = next(source.frames(index), None) if index >= 0 else None
        if found is None:
            raise InputError(
                f"--frame {index}: {source.name} has no such frame; frames are counted from 0"
            )
        return found


def _look(options: Preview, frame: Frame, prompts: dict[int, list[Prompt]]) -> FrameResult:
    model = load_model(
        options.model,
        device=options.device,
        image_size=options.image_size,
        weights_map=options.weights_map,
    )
    return Tracker(model).preview(frame, prompts)


def _with_clicks(image: np.ndarray, prompts: dict[int, list[Prompt]]) -> np.ndarray:
    """Clicks as dots: filled on the object, a ring beside it."""
    canvas = Image.fromarray(image)
    draw = ImageDraw.Draw(canvas)
    radius = max(3, round(min(image.shape[:2]) / 120))
    for object_id, given in prompts.items():
        for points in (p for p in given if isinstance(p, Points)):
            for (x, y), label in zip(points.xy.tolist(), points.labels.tolist(), strict=True):
                fill = colour_of(object_id) if label else None
                place = [x - radius, y - radius, x + radius, y + radius]
                draw.ellipse(place, fill=fill, outline=(255, 255, 255), width=max(1, radius // 3))
    return np.asarray(canvas)


def _format(suffix: str) -> str:
    return "PNG" if suffix.lower() == ".png" else "JPEG"
