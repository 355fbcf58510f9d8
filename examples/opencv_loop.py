"""Track what OpenCV reads, in a loop of your own: click in the window, q ends.

    pip install opencv-python
    python examples/opencv_loop.py 0              # a camera's number, or a file

OpenCV's frames are BGR, the tracker's RGB. Reading, tracking and showing take turns here, so
frames wait in the camera's queue while one is tracked; `sam2s.open_frames(source, latest=True)` in
place of `cv2.VideoCapture` drops them instead.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator

import cv2
import numpy as np

import sam2s

TITLE = "SAM2S - for research only"


def frames(source: str) -> Iterator[np.ndarray]:
    """(H, W, 3) uint8 RGB pictures of a camera or file."""
    capture = cv2.VideoCapture(int(source) if source.isdecimal() else source)
    try:
        while True:
            good, picture = capture.read()
            if not good:
                return
            yield np.ascontiguousarray(picture[..., ::-1])
    finally:
        capture.release()


def main(source: str, model: str = "nano") -> None:
    """Show the source until q is pressed; each click begins another object."""
    tracker = sam2s.Tracker(sam2s.load_model(model))
    clicks: list[tuple[int, int]] = []

    def clicked(event: int, x: int, y: int, _flags: int, _data: object) -> None:
        if event == cv2.EVENT_LBUTTONDOWN:
            clicks.append((x, y))

    cv2.namedWindow(TITLE)
    cv2.setMouseCallback(TITLE, clicked)
    for image in frames(source):
        first = max(tracker.objects, default=0) + 1
        prompts = {
            first + i: sam2s.Points(np.array([click]), np.array([1]))
            for i, click in enumerate(clicks)
        }
        clicks.clear()
        result = tracker.step(image, prompts)
        shown = image.copy()
        for mask in result.masks.values():
            shown[mask] = shown[mask] // 2 + np.array([0, 100, 127], np.uint8)
        cv2.imshow(TITLE, shown[..., ::-1])
        if cv2.waitKey(1) == ord("q"):
            break


if __name__ == "__main__":
    main(*sys.argv[1:])
