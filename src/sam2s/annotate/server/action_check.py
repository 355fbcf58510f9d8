"""From a page's action to the session's: what the log itself cannot know, such as the video's
size."""

from __future__ import annotations

from typing import Any

from sam2s.annotate.server.page_messages import ActionMessage
from sam2s.annotate.video_room import VideoFacts
from sam2s.errors import InputError
from sam2s.tracking.session.action_file import actions_of_rows
from sam2s.tracking.session.actions import Action
from sam2s.typed_json import is_one_line


def checked_action(message: ActionMessage, facts: VideoFacts) -> Action:
    """The action; ``InputError`` for frames, pixels and masks outside the video, and for fields
    that are missing."""
    row = message.row()
    for name in ("frame", "to"):
        if facts.indexed and row.get(name, 0) >= facts.count:
            raise InputError(f"{name} {row[name]}: the video has frames 0 to {facts.count - 1}")
    if message.rle is not None and message.rle.size != [facts.height, facts.width]:
        # Before it is unpacked: a few bytes may stand for any number of pixels.
        raise InputError(
            f"mask of {message.rle.size[1]} x {message.rle.size[0]} pixels: the video has"
            f" {facts.width} x {facts.height}"
        )
    if message.action == "mask" and message.rle is None:
        raise InputError("mask: expected an rle")
    if message.name is not None and not is_one_line(message.name):
        raise InputError("name: expected one line of text")
    if message.action in ("click", "box"):
        _check_pixels(row, facts)
    (action,) = actions_of_rows([row], "the page")
    return action


def _check_pixels(row: dict[str, Any], facts: VideoFacts) -> None:
    for name, end in (
        ("x", facts.width),
        ("y", facts.height),
        ("x2", facts.width),
        ("y2", facts.height),
    ):
        if name in row and not 0 <= row[name] <= end:
            raise InputError(f"{name} {row[name]:g}: the picture goes from 0 to {end}")
