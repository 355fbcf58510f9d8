"""A small annotated folder with coloured objects, and a tracker that follows colours instead of
running a network."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from sam2s.masklets.masklets import MaskletWriter, ObjectInfo, VideoInfo
from sam2s.types import Frame, FrameResult, Mask, Points, Prompt

SIZE = (48, 64)
COLOURS = {1: (230, 30, 30), 2: (30, 230, 30), 3: (30, 30, 230)}


def square(top: int, left: int, side: int = 12) -> np.ndarray:
    mask = np.zeros(SIZE, bool)
    mask[max(top, 0) : max(top + side, 0), max(left, 0) : max(left + side, 0)] = True
    return mask


def paint(masks: Mapping[int, np.ndarray]) -> np.ndarray:
    image = np.full((*SIZE, 3), 90, np.uint8)
    image += np.random.default_rng(0).integers(0, 12, image.shape, dtype=np.uint8)
    for object_id, mask in masks.items():
        image[mask] = COLOURS[object_id]
    return image


def scene(frame: int) -> dict[int, np.ndarray]:
    """Object 1 moves right, 2 enters on frame 3 and leaves after 8, 3 is never in view."""
    inside = 3 <= frame < 8
    return {
        1: square(4, 2 + 3 * frame),
        2: square(30, 10) if inside else np.zeros(SIZE, bool),
        3: np.zeros(SIZE, bool),
    }


def write_folder(root: Path) -> Path:
    """Two videos of two sources: 'moving' has an instrument and tissue, 'still' one instrument,
    sparsely annotated."""
    kinds = {
        1: ObjectInfo("grasper", "instrument"),
        2: ObjectInfo("polyp", "tissue"),
        3: ObjectInfo("hook", "instrument"),
    }
    with MaskletWriter(root) as writer:
        writer.add_video("moving", VideoInfo("alpha", "colonoscopy", "test", 25.0, kinds))
        for i in range(10):
            writer.write("moving", f"{i:05d}", paint(scene(i)), scene(i))
        writer.add_video("still", VideoInfo("beta", "myotomy", "test", None, {1: kinds[1]}))
        for i in range(12):
            masks = {1: square(20, 20)}
            writer.write("still", f"{i:05d}", paint(masks), masks if i in (2, 5, 9) else {})
    return root


class ColourTracker:
    """Follows what has the colour under an object's first click (or first mask), a few pixels short
    on its left.

    Every further click mends one missing column, on the frame shown, so that clicks can be seen to
    matter.
    """

    def __init__(self, fail_at: tuple[int, int] | None = None) -> None:
        self.known: dict[int, np.ndarray] = {}
        self.calls: list[tuple[str, int, dict[int, int]]] = []
        self.resets = 0
        self.fail_at = fail_at

    def reset(self) -> None:
        self.known = {}
        self.resets += 1

    def step(
        self,
        frame: Frame,
        prompts: Mapping[int, Prompt | Sequence[Prompt]] | None = None,
        prior: FrameResult | None = None,
    ) -> FrameResult:
        if self.fail_at == (self.resets, frame.index):
            raise RuntimeError("broken on purpose")
        known, result = self._look("step", frame, prompts or {}, prior)
        self.known = known
        return result

    def preview(
        self,
        frame: Frame,
        prompts: Mapping[int, Prompt | Sequence[Prompt]] | None = None,
        prior: FrameResult | None = None,
    ) -> FrameResult:
        return self._look("preview", frame, prompts or {}, prior)[1]

    def _look(
        self, what: str, frame: Frame, prompts: Mapping[int, object], prior: FrameResult | None
    ) -> tuple[dict[int, np.ndarray], FrameResult]:
        clicks = {i: len(p.labels) if isinstance(p, Points) else 0 for i, p in prompts.items()}
        self.calls.append((what, frame.index, clicks))
        known = dict(self.known)
        for object_id, prompt in prompts.items():
            where = self._place(prompt)
            known[object_id] = frame.image[where[1], where[0]].astype(int)
        masks = {
            i: self._like(frame.image, colour, clicks.get(i, 1)) for i, colour in known.items()
        }
        return known, FrameResult(frame.index, frame.time, masks)

    @staticmethod
    def _place(prompt: object) -> tuple[int, int]:
        if isinstance(prompt, Points):
            return int(prompt.xy[0, 0]), int(prompt.xy[0, 1])
        if isinstance(prompt, Mask):
            rows, cols = np.nonzero(prompt.mask)
            return int(np.median(cols)), int(np.median(rows))
        left, top, right, bottom = prompt.xyxy  # type: ignore[attr-defined]
        return int(left + right) // 2, int(top + bottom) // 2

    @staticmethod
    def _like(image: np.ndarray, colour: np.ndarray, clicks: int) -> np.ndarray:
        mask = (np.abs(image.astype(int) - colour) < 60).all(axis=-1)
        for _ in range(max(3 - clicks, 0)):
            mask[:, 1:] &= mask[:, :-1].copy()
        return mask
