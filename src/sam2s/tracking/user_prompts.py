"""What scripts give as prompts: checked, and brought into one form.

A prompt is `Points`, `Box` or `Mask`, or several that belong together; plain numbers will do where
their shape leaves no doubt.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from sam2s.arrays import to_array
from sam2s.errors import InputError
from sam2s.types import Box, Mask, Points, Prompt

Numbers = Sequence[float] | Sequence[Sequence[float]] | np.ndarray
Prompts = Mapping[int, Prompt | Sequence[Prompt] | Numbers]
"""{object id: what is said of it on one frame}, in source pixels: a prompt; several that belong
together, such as a box and clicks; or numbers: (2,) or (P, 2) clicks on the object, (4,) a box,
(H, W) bool its mask."""


def by_object(prompts: Prompts | None) -> dict[int, tuple[Prompt, ...]]:
    """{object id: its prompts}, whichever form they were given in; ``InputError`` for others."""
    if prompts is None:
        return {}
    if not isinstance(prompts, Mapping):
        raise InputError(f"prompts: expected {{object id: prompt}}, got {type(prompts).__name__}")
    return {_whole(i, "object id"): _of_object(i, given) for i, given in prompts.items()}


def by_frame(prompts: Mapping[int, Prompts]) -> dict[int, dict[int, tuple[Prompt, ...]]]:
    """{frame index: ``by_object``} of a run; ``InputError`` where there is none, or one cannot be
    used."""
    if not isinstance(prompts, Mapping):
        raise InputError(
            f"prompts: expected {{frame: {{object id: prompt}}}}, got {type(prompts).__name__}"
        )
    if not prompts:
        raise InputError(
            "nothing to track: give at least one prompt (clicks, a box or a mask) on some frame"
        )
    parts = {}
    for frame, given in prompts.items():
        if not isinstance(given, Mapping):
            raise InputError(
                f"prompts of frame {frame}: expected {{object id: prompt}}, as in"
                f" {{{frame}: {{1: prompt}}}}, got {type(given).__name__}"
            )
        parts[_whole(frame, "frame of a prompt")] = by_object(given)
    return parts


class PromptSchedule:
    """The prompts of a run, each waiting for its frame.

    ``prompts``: as for ``by_frame``. ``stop``: the frame before which the run ends, None for the
    end of the source. ``reverse``: frames come last to first. Raises ``InputError`` for prompts
    that cannot be used, and for ``stop`` before one of them.
    """

    def __init__(self, prompts: Mapping[int, Prompts], stop: int | None, *, reverse: bool) -> None:
        self._waiting = by_frame(prompts)
        self._stop = None if stop is None else _whole(stop, "stop")
        self._reverse = reverse
        self._seen: tuple[int, int] | None = None
        late = [frame for frame in self._waiting if self.is_over(frame)]
        if late:
            raise InputError(
                f"stop={stop}: the run would end before its prompt on frame {late[0]}; stop"
                f" {'before' if reverse else 'after'} that frame, or leave the prompt out"
            )

    def is_over(self, frame: int) -> bool:
        """Whether the run ends before this frame."""
        return self._stop is not None and not self._before(frame, self._stop)

    def due(self, frame: int) -> dict[int, tuple[Prompt, ...]] | None:
        """What is said on this frame, the next one of the source; ``InputError`` where the source
        has left out a prompted frame."""
        low, high = self._seen or (frame, frame)
        self._seen = min(low, frame), max(high, frame)
        now = self._waiting.pop(frame, None)
        missed = [other for other in self._waiting if self._before(other, frame)]
        if missed:
            order = " (reverse=True: frames come last to first)" if self._reverse else ""
            raise InputError(
                f"prompt on frame {missed[0]}: the source came to frame {frame} without"
                f" it{order}; prompt a frame that it gives"
            )
        return now

    def check_done(self) -> None:
        """``InputError`` where the source ended before a prompted frame."""
        if not self._waiting:
            return
        if self._seen is None:
            raise InputError("the source holds no frames")
        low, high = self._seen
        ends = low if self._reverse else high
        raise InputError(
            f"prompt on frame {min(self._waiting)}: the source ends at frame {ends}; prompt a frame"
            f" from {low} to {high}"
        )

    def _before(self, frame: int, other: int) -> bool:
        return frame > other if self._reverse else frame < other


def _of_object(object_id: int, given: Any) -> tuple[Prompt, ...]:
    if isinstance(given, Prompt):
        return (given,)
    if isinstance(given, list | tuple) and all(isinstance(part, Prompt) for part in given):
        return tuple(given)
    strange = f"object {object_id}: a prompt is Points, Box or Mask, or several of them, or numbers"
    if not isinstance(given, list | tuple | np.ndarray) or _has_prompt(given):
        parts = given if isinstance(given, list | tuple) else [given]
        kind = next(type(part).__name__ for part in parts if not isinstance(part, Prompt))
        raise InputError(f"{strange}; got {kind}")
    numbers = to_array(given, f"prompt of object {object_id}")
    if numbers.dtype == bool and numbers.ndim == 2:
        return (Mask(numbers),)
    if numbers.shape == (4,):
        return (Box(numbers),)
    if numbers.size and numbers.shape[-1] == 2 and numbers.ndim <= 2:
        xy = numbers.reshape(-1, 2)
        return (Points(xy, np.ones(len(xy), np.int64)),)
    raise InputError(
        f"{strange}: (2,) or (P, 2) clicks (x, y) on it, (4,) a box, (height, width) bool a mask;"
        f" got shape {numbers.shape}"
    )


def _has_prompt(given: Any) -> bool:
    return any(isinstance(part, Prompt) for part in given)


def _whole(number: Any, what: str) -> int:
    if isinstance(number, bool) or not isinstance(number, int | np.integer):
        raise InputError(f"{what}: expected a whole number, got {number!r}")
    return int(number)
