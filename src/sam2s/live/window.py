"""A window on this machine, where OpenCV can open one."""

from __future__ import annotations

import subprocess
import sys
from time import perf_counter
from typing import Any

import numpy as np

from sam2s.errors import InputError
from sam2s.live.inbox import ActionInbox
from sam2s.live.latency import LatencyCounter
from sam2s.live.sink import LivePicture
from sam2s.opencv import cv2, import_opencv

TITLE = "SAM2S - for research only"
ESCAPE = 27
TRIAL = "import cv2; cv2.namedWindow('SAM2S'); cv2.waitKey(1)"
TRIAL_SECONDS = 30


class Window:
    """Shows the overlay. A click is one on the chosen object, with Shift or the right button beside
    it; digits choose, x removes; q, Escape or closing it stops. Raises InputError where none can be
    opened."""

    name = "window"

    def __init__(self, inbox: ActionInbox) -> None:
        import_opencv()
        if "GUI: NONE" in " ".join(cv2.getBuildInformation().split()):
            raise InputError(
                "--window: this OpenCV cannot open windows (opencv-python-headless); install"
                " opencv-python, or use --page"
            )
        _try_one()
        self.latency: LatencyCounter | None = LatencyCounter()
        self._inbox, self._object, self._open = inbox, 1, False

    def show(self, picture: LivePicture) -> None:
        """Draw, and take clicks and keys."""
        if not self._open:  # in the thread that draws: toolkits ask for that
            cv2.namedWindow(TITLE, cv2.WINDOW_NORMAL | cv2.WINDOW_GUI_NORMAL)
            cv2.resizeWindow(TITLE, picture.overlay.shape[1], picture.overlay.shape[0])
            cv2.setMouseCallback(TITLE, self._mouse)
            self._open = True
        cv2.imshow(TITLE, np.ascontiguousarray(picture.overlay[..., ::-1]))
        self._key(cv2.waitKey(1) & 0xFF)
        if _was_closed():  # imshow would open it again
            self._inbox.put({"action": "stop"}, "window")
        assert self.latency is not None
        self.latency.add(perf_counter() - picture.arrived)

    def close(self) -> None:
        """Close the window."""
        if self._open and not _was_closed():
            cv2.destroyWindow(TITLE)

    def _mouse(self, event: int, x: int, y: int, flags: int, _data: Any) -> None:
        left, right = event == cv2.EVENT_LBUTTONDOWN, event == cv2.EVENT_RBUTTONDOWN
        if left or right:
            beside = right or bool(flags & cv2.EVENT_FLAG_SHIFTKEY)
            row = {"action": "click", "object": self._object, "x": x, "y": y, "label": 1 - beside}
            self._inbox.put(row, "window")

    def _key(self, key: int) -> None:
        if ord("1") <= key <= ord("9"):
            self._object = key - ord("0")
        elif key == ord("x"):
            self._inbox.put({"action": "remove", "object": self._object}, "window")
        elif key in (ord("q"), ESCAPE):
            self._inbox.put({"action": "stop"}, "window")


def _was_closed() -> bool:
    try:
        return bool(cv2.getWindowProperty(TITLE, cv2.WND_PROP_VISIBLE) < 1)
    except cv2.error:  # Qt's word for it, where no window is left
        return True


def _try_one() -> None:
    """Open a window in another process: without a screen the toolkit ends the one that asks."""
    if sys.platform == "darwin":
        raise InputError(
            "--window: macOS opens windows for a program's main thread only; use --page"
        )
    try:
        subprocess.run(
            [sys.executable, "-c", TRIAL], check=True, capture_output=True, timeout=TRIAL_SECONDS
        )
    except subprocess.SubprocessError as error:
        said = (getattr(error, "stderr", None) or b"").decode("utf-8", "replace").split("\n")
        why = next((line.strip() for line in said if line.strip()), "it hangs")
        raise InputError(
            f"--window: OpenCV cannot open a window here ({why}); is there a screen? Otherwise use"
            " --page"
        ) from error
