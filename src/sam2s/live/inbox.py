"""What users ask for while a live run goes on: from a page, a window, or JSON lines."""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Callable
from threading import Lock, Thread
from typing import Any, TextIO

from sam2s.errors import InputError
from sam2s.tracking.session.action_file import actions_of_rows
from sam2s.tracking.session.actions import Give, Name, Remove
from sam2s.typed_json import parse_json

LiveAction = Give | Name | Remove
ON_FRAMES = ("click", "box", "mask")
MOST = 256
"""Actions that wait at a time: the next frame takes them all."""
LONGEST_LINE = 2**20
"""Characters of a line; a mask of a full HD frame takes some ten thousand."""
EXPECTED = (
    'expected {"action": "click", "object": 1, "x": 640, "y": 400}, a box, mask, name, remove or'
    " stop (docs/live.md)"
)


class ActionInbox:
    """Takes actions from any thread; the loop takes them out. ``stopped``: someone asked for the
    end; ``on_stop`` is then called, for a loop that waits for a frame that does not come."""

    def __init__(self) -> None:
        self.on_stop: Callable[[], object] = lambda: None
        self._waiting: deque[LiveAction] = deque()
        self._lock = Lock()
        self.stopped = False

    def put(self, row: Any, where: str) -> None:
        """An action as it stands in a prompts file, without a frame: it is about the next one.
        Raises InputError, beginning with ``where``, for what is none, and when too many wait."""
        if not isinstance(row, dict) or not isinstance(row.get("action"), str):
            raise InputError(f"{where}: {EXPECTED}")
        kind = row["action"]
        if kind == "stop":
            self.stopped = True
            self.on_stop()
            return
        if kind not in (*ON_FRAMES, "name", "remove"):
            raise InputError(f"{where}: {kind!r} is nothing to do on a live source; {EXPECTED}")
        if "file" in row:  # a page or a pipe has no say over this machine's files
            raise InputError(f"{where}: a mask is given as rle here, not as a file")
        given = {**row, "frame": 0} if kind in ON_FRAMES else row
        (action,) = actions_of_rows([given], where)
        assert isinstance(action, LiveAction)
        if len(self._waiting) >= MOST:
            raise InputError(f"{where}: {MOST} actions wait for the next frame; wait as well")
        self.add(action)

    def add(self, action: LiveAction) -> None:
        """An action from this program itself, about the next frame."""
        with self._lock:
            self._waiting.append(action)

    def take(self) -> list[LiveAction]:
        """All actions that wait, in their order."""
        with self._lock:
            taken = list(self._waiting)
            self._waiting.clear()
        return taken


def follow_lines(stream: TextIO, inbox: ActionInbox, say: Callable[[str], object]) -> None:
    """Put the JSON lines of ``stream`` into the inbox, in a thread, until the stream ends; ``say``
    is told of lines that are none."""

    def follow() -> None:
        number = 0
        while line := stream.readline(LONGEST_LINE):
            number += 1
            long = len(line) == LONGEST_LINE and not line.endswith("\n")
            if long:  # a piece of it may look like an action, and is none
                _skip_line(stream)
            if not (long or line.strip()):
                continue
            where = f"line {number}"
            try:
                if long:
                    raise InputError(f"{where}: is longer than {LONGEST_LINE} characters")
                row: Any = parse_json(line, dict[str, Any], where)
                inbox.put(row, where)
            except InputError as error:
                say(json.dumps({"error": " ".join(str(error).split())}))

    Thread(target=follow, daemon=True, name="actions").start()


def _skip_line(stream: TextIO) -> None:
    """Read on to the end of the line."""
    while (rest := stream.readline(LONGEST_LINE)) and not rest.endswith("\n"):
        pass
