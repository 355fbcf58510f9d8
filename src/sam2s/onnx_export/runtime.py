"""Track one object with the exported graphs; needs numpy, onnxruntime and, for videos, av.

A copy lies beside the graphs: ``python OUT/track.py video.mp4 X Y``, a click on frame 0 in pixels
of the video. Memory is SAM 2's: prompted frames, the six latest maps, sixteen pointers.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime as ort


class OnnxTracker:
    """``folder``: what ``sam2s export MODEL OUT --to onnx`` wrote."""

    def __init__(self, folder: Path) -> None:
        self.about = json.loads((folder / "model.json").read_text())
        paths = {path.stem: str(path) for path in folder.glob("*.onnx")}
        self.run = {name: ort.InferenceSession(path).run for name, path in paths.items()}
        self.time, self.prompted, self.tracked = 0, {}, {}  # type: ignore[var-annotated]

    def step(self, pixels: np.ndarray, clicks: list[tuple[float, float, int]]) -> Any:
        """Pixels (1, 3, S, S) float32, normalised, and clicks (x, y in pixels of that picture; 1 on
        the object, 0 beside it; the first frame needs one) -> mask logits (S / 4, S / 4), above 0
        inside, -1024 where the object is not in view."""
        levels = self.run["encode"](None, {"image": pixels})
        given = dict(zip(("stride16", "stride8", "stride4"), levels, strict=True))
        given |= self.memory(levels[0].shape[2])
        outputs: Any = self.run["track"](None, given) if self.prompted else None
        if clicks:
            given["coords"] = np.array([[c[:2] for c in clicks]], np.float32)
            given["labels"] = np.array([[c[2] for c in clicks]], np.int64)
            kind = "click" if len(clicks) == 1 else "points"
            if outputs is not None:  # the clicks correct what memory says of the frame
                kind, given["prior"] = f"correct_{kind}", outputs[0]
            outputs = self.run[kind](None, given)
        (self.prompted if clicks else self.tracked)[self.time] = outputs[4][0], outputs[3][0]
        self.tracked.pop(self.time - 15, None)
        self.time += 1
        return outputs[0][0]

    def memory(self, grid: int) -> dict[str, np.ndarray]:
        """What this frame recalls: slots of a fixed number, and a mask of those in use."""
        about, now = self.about, self.time
        room, ages, recent = about["map_slots"], about["pointer_slots"], about["recent_maps"]
        latest = sorted(self.prompted)[recent - room :]
        seen = [(*self.prompted[t], about["prompted_slot"], now - t) for t in latest]
        past = [(*self.tracked[t], now - t - 1, now - t) for t in sorted(self.tracked)]
        maps, pointers = seen + [one for one in past if one[2] < recent], seen + past
        filled = {
            "maps": np.zeros((1, room, about["memory_dim"], grid, grid), np.float32),
            "slots": np.array([[one[2] for one in maps] + [0] * (room - len(maps))]),
            "map_mask": np.arange(room)[None] < len(maps),
            "pointers": np.zeros((1, ages, about["dim"]), np.float32),
            "ages": np.zeros((1, ages), np.float32),
            "pointer_mask": np.arange(ages)[None] < len(pointers),
        }
        for k, one in enumerate(maps):
            filled["maps"][0, k] = one[0]
        for k, one in enumerate(pointers):
            filled["pointers"][0, k], filled["ages"][0, k] = one[1], one[3]
        return filled


if __name__ == "__main__":
    import av

    tracker, (x, y) = OnnxTracker(Path(__file__).parent), map(float, sys.argv[2:4])
    side, mean, std = (tracker.about[name] for name in ("image_size", "mean", "std"))
    for index, frame in enumerate(av.open(sys.argv[1]).decode(video=0)):
        picture = frame.reformat(side, side, "rgb24", interpolation="AREA").to_ndarray()
        image = ((picture / 255 - mean) / std).transpose(2, 0, 1)[None].astype(np.float32)
        click = (x * side / frame.width, y * side / frame.height, 1)
        mask = tracker.step(image, [click] if index == 0 else []) > 0
        print(f"frame {index}: {100 * mask.mean():.2f} % of the picture")
