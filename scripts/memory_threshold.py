"""Where to set DiveMem's IoU threshold: python scripts/memory_threshold.py MASKLETS --model MODEL

The paper's 0.95 suits SAM 2's large models; a small one predicts lower IoUs. Tracks every object of
the videos from its true first mask, prints the distribution of the predicted IoU on frames that are
really good and on the others, and the threshold that half of the good frames pass. Give it
validation videos, never test videos.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from sam2s.masklets.masklets import MaskletVideo, open_masklets
from sam2s.metrics import jaccard
from sam2s.tracking.tracker import Tracker
from sam2s.types import Frame, Mask
from sam2s.weights.load import load_model

GOOD = 0.75
"""A tracked frame is good when its true IoU is at least this."""


def main() -> None:
    given = _arguments()
    model = load_model(given.model, device="cpu")
    videos = list(open_masklets(given.masklets).videos.values())[: given.videos]
    pairs = np.concatenate(
        [predicted_and_true(Tracker(model, given.memory), video, given.frames) for video in videos]
    )
    good = pairs[pairs[:, 1] >= GOOD, 0]
    bad = pairs[pairs[:, 1] < GOOD, 0]
    print(
        f"{len(pairs)} tracked frames of {len(videos)} videos; {len(good)} good (true IoU >="
        f" {GOOD}), {len(bad)} not"
    )
    print("predicted IoU    p10   p25   p50   p75   p90")
    for name, values in (("good", good), ("not good", bad)):
        if len(values):
            print(
                f"{name:13}",
                "".join(f"{q:6.2f}" for q in np.percentile(values, (10, 25, 50, 75, 90))),
            )
    for threshold in np.arange(0.5, 1.0, 0.05):
        shares = [
            float((values > threshold).mean()) if len(values) else float("nan")
            for values in (good, bad)
        ]
        passed = " and ".join(f"{100 * share:5.1f} %" for share in shares)
        print(f"threshold {threshold:.2f}: passed by {passed} of the good and the other frames")
    if len(good):
        print(f"half of the good frames pass {np.median(good):.3f}")


def predicted_and_true(tracker: Tracker, video: MaskletVideo, frames: int) -> np.ndarray:
    """(n, 2) predicted and true IoU of every tracked frame on which the object is in view and said
    to be."""
    pairs = []
    for index in range(min(frames, len(video.frame_names))):
        truth = {i: video.mask(i, index) for i in video.info.objects}
        shown = {i: mask for i, mask in truth.items() if mask is not None and mask.any()}
        new = {i: Mask(mask) for i, mask in shown.items() if i not in tracker.objects}
        result = tracker.step(Frame(index, None, video.image(index)), new)
        for i, mask in shown.items():
            if i not in new and result.presence[i] > 0.5:
                pairs.append(
                    (result.scores[i] / result.presence[i], jaccard(result.masks[i], mask))
                )
    return np.array(pairs).reshape(-1, 2)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("masklets", type=Path)
    parser.add_argument("--model", default="nano")
    parser.add_argument("--memory", default="recent")
    parser.add_argument("--videos", type=int, default=12)
    parser.add_argument("--frames", type=int, default=60)
    return parser.parse_args()


if __name__ == "__main__":
    main()
