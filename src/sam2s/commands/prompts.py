"""Prompts as they are typed (``1:640,400,-``) to prompts as the tracker takes them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np

from sam2s.errors import InputError
from sam2s.masklets.masks import read_binary_mask
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
