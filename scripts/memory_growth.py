"""Does memory stay flat? python scripts/memory_growth.py [--frames 5000] [--model nano] [--json
FILE]

Tracks three objects through one long synthetic stream, frame by frame as from a camera, and prints
the process's resident size on the way. The goal: less than 2 % more at the last frame than at frame
500.
"""

from __future__ import annotations

import argparse
import gc
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import psutil
from tqdm import tqdm

from sam2s.benchmark.environment import environment
from sam2s.files import write_json
from sam2s.synthetic import SurgicalScene, random_spec
from sam2s.tracking.tracker import Tracker
from sam2s.types import Frame, Mask
from sam2s.weights.load import load_model

SEED = 770_003
OBJECTS = 3
WARM = 500
"""Frame at which every buffer and memory has reached its size."""
GOAL = 0.02


def main() -> None:
    given = _arguments()
    tracker = Tracker(load_model(given.model), None if given.memory == "auto" else given.memory)
    sizes: dict[int, int] = {}
    waiting = OBJECTS
    for index, (image, masks) in enumerate(
        tqdm(_stream(given.frames), total=given.frames, unit="frame")
    ):
        # Each object is given by its true mask when it first comes into view.
        fresh = [i for i, mask in masks.items() if mask.sum() > 100 and i not in tracker.objects][
            :waiting
        ]
        waiting -= len(fresh)
        tracker.step(Frame(index, index / 25, image), {i: Mask(masks[i]) for i in fresh})
        if (index + 1) % WARM == 0:
            gc.collect()
            sizes[index + 1] = psutil.Process().memory_info().rss
            tqdm.write(
                f"frame {index + 1}: {sizes[index + 1] / 2**20:.1f} MiB, {len(tracker.objects)}"
                " objects"
            )
    first, last = sizes[WARM], sizes[max(sizes)]
    growth = last / first - 1
    print(
        f"from frame {WARM} to {max(sizes)}: {100 * growth:+.2f} %"
        f" ({'flat' if growth < GOAL else 'it grows'})"
    )
    if given.json is not None:
        record = {str(frame): size for frame, size in sizes.items()}
        write_json(
            given.json, {"rss": record, "growth": growth, "goal": GOAL, "provenance": environment()}
        )


def _stream(frames: int) -> Iterator[tuple[np.ndarray, dict[int, np.ndarray]]]:
    """One long scene."""
    return SurgicalScene(random_spec(SEED, None, frames)).render()


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--frames", type=int, default=5000)
    parser.add_argument("--model", default="nano")
    parser.add_argument("--memory", default="auto", choices=("auto", "recent", "diverse"))
    parser.add_argument("--json", type=Path)
    return parser.parse_args()


if __name__ == "__main__":
    main()
