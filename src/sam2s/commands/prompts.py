"""Prompts as they are typed (``1:640,400,-``) to prompts as the tracker takes them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from sam2s.errors import InputError
from sam2s.masklets.masks import read_binary_mask
from sam2s.tracking.session.action_file import FrameAt, parse_time
from sam2s.tracking.session.actions import Action, Give, MarkAbsent
from sam2s.tracking.session.ranges import Stretch
from sam2s.types import Box, Mask, Points, Prompt

MAX_ID = 999
"""Largest object id: its folder's name has three digits."""

_NUMBER = r"(-?\d+(?:\.\d+)?)"
_CLICK = re.compile(rf"{_NUMBER},{_NUMBER}(?:,([+-]))?")
_BOX = re.compile(",".join([_NUMBER] * 4))


def parse_prompts(
    clicks: Iterable[str], boxes: Iterable[str], masks: Iterable[str]
) -> dict[int, list[Prompt]]:
    """{object id: its prompts, a box before clicks}. Raises InputError for text that cannot be
    understood, an object with two boxes or two masks, a mask beside other prompts, and a mask file
    that is missing, unreadable or empty."""
    prompts: dict[int, list[Prompt]] = {}
    for object_id, box in _boxes(boxes):
        if object_id in prompts:
            raise InputError(f"--box: object {object_id} has two boxes; give one box an object")
        prompts[object_id] = [box]
    for object_id, points in _points(clicks):
        prompts.setdefault(object_id, []).append(points)
    for object_id, mask in _masks(masks):
        if object_id in prompts:
            raise InputError(
                f"--mask: object {object_id} has another prompt; a mask is the answer by itself"
            )
        prompts[object_id] = [mask]
    if not prompts:
        raise InputError(
            "nothing to track: give at least one --click ID:X,Y, --box ID:X0,Y0,X1,Y1 or --mask"
            " ID:FILE"
        )
    return prompts


def _points(clicks: Iterable[str]) -> Iterator[tuple[int, Points]]:
    """All clicks of an object together, in the order typed."""
    grouped: dict[int, list[tuple[float, float, int]]] = {}
    for text in clicks:
        object_id, rest = _split("--click", text, "ID:X,Y, ID:X,Y,+ or ID:X,Y,-")
        match = _CLICK.fullmatch(rest)
        if match is None:
            raise InputError(
                f"--click {text}: expected ID:X,Y, ID:X,Y,+ or ID:X,Y,-, for example 1:640,400"
            )
        x, y, sign = match.groups()
        grouped.setdefault(object_id, []).append((float(x), float(y), 0 if sign == "-" else 1))
    for object_id, given in grouped.items():
        table = np.array(given, np.float64)
        yield object_id, Points(table[:, :2], table[:, 2])


def _boxes(boxes: Iterable[str]) -> Iterator[tuple[int, Box]]:
    for text in boxes:
        object_id, rest = _split("--box", text, "ID:X0,Y0,X1,Y1")
        match = _BOX.fullmatch(rest)
        if match is None:
            raise InputError(
                f"--box {text}: expected ID:X0,Y0,X1,Y1 (left, top, right, bottom), as in"
                " 1:10,20,80,60"
            )
        yield object_id, Box(np.array(match.groups(), np.float64))


def _masks(masks: Iterable[str]) -> Iterator[tuple[int, Mask]]:
    for text in masks:
        object_id, rest = _split("--mask", text, "ID:FILE")
        pixels = read_binary_mask(Path(rest).expanduser())
        if not pixels.any():
            raise InputError(
                f"--mask {text}: the picture is black everywhere, or transparent; paint the object"
                " in any other colour"
            )
        yield object_id, Mask(pixels)


def _split(flag: str, text: str, form: str) -> tuple[int, str]:
    head, colon, rest = text.partition(":")
    if not colon or not re.fullmatch(r"[0-9]+", head) or not rest:
        raise InputError(
            f"{flag} {text}: expected {form}, with the object's number before the colon"
        )
    if not 1 <= int(head) <= MAX_ID:
        raise InputError(f"{flag} {text}: object numbers run from 1 to {MAX_ID}")
    return int(head), rest


@dataclass(frozen=True, slots=True)
class Typed:
    """What was typed on the command line: each text as it stands there. ``frame``: where prompts
    are that name no frame of their own."""

    clicks: Sequence[str] = ()
    boxes: Sequence[str] = ()
    masks: Sequence[str] = ()
    absent: Sequence[str] = ()
    frame: int = 0


def parse_actions(typed: Typed, frame_at: FrameAt) -> list[Action]:
    """The texts as a session's actions, by frame: prompts, then absences.

    A text may end in ``@FRAME``, ``@MM:SS`` or ``@SECONDSs``. ``frame_at`` turns seconds into a
    frame. Raises ``InputError`` as ``parse_prompts``, and where no frame follows an @.
    """
    by_frame: dict[int, tuple[list[str], list[str], list[str]]] = {}
    for kind, texts in enumerate((typed.clicks, typed.boxes, typed.masks)):
        for text in texts:
            prompt, frame = _split_frame(text, typed.frame, frame_at)
            by_frame.setdefault(frame, ([], [], []))[kind].append(prompt)
    actions: list[Action] = []
    for frame in sorted(by_frame):
        for object_id, prompts in parse_prompts(*by_frame[frame]).items():
            actions += [Give(object_id, frame, prompt) for prompt in prompts]
    for text in typed.absent:
        object_id, rest = _split("--absent", text, "ID:FROM-TO, for example 1:100-180")
        actions.append(MarkAbsent(object_id, parse_stretch("--absent", rest, "-", frame_at)))
    return actions


def parse_stretch(flag: str, text: str, between: str, frame_at: FrameAt) -> Stretch:
    """``FROM<between>TO`` in frames, or in times where they hold a colon or end in s."""
    first, _, last = text.partition(between)
    ends = [_frame_of(end.strip(), frame_at) for end in (first, last)]
    if None in ends:
        raise InputError(f"{flag} {text}: expected FROM{between}TO, two numbers of frames")
    try:
        return Stretch(ends[0], ends[1])  # type: ignore[arg-type]
    except InputError as error:
        raise InputError(f"{flag} {text}: {error}") from error


def _split_frame(text: str, frame: int, frame_at: FrameAt) -> tuple[str, int]:
    """A prompt's text and the frame it is on. An @ in the name of a mask's file is part of it."""
    prompt, at, when = text.rpartition("@")
    if not at:
        return text, frame
    found = _frame_of(when, frame_at)
    if found is not None:
        return prompt, found
    if Path(text.partition(":")[2]).expanduser().exists():
        return text, frame
    raise InputError(
        f"{text}: after @ expected the number of a frame, MM:SS or SECONDSs, as in 1:640,400@01:05"
    )


def _frame_of(text: str, frame_at: FrameAt) -> int | None:
    """A number of a frame, or a time (with a colon, or ending in s); None for anything else."""
    if text.isdecimal() and text.isascii():
        return int(text)
    seconds = parse_time(text.removesuffix("s")) if ":" in text or text.endswith("s") else None
    return None if seconds is None else frame_at(seconds)
