"""End to end: frames per second of ``sam2s track`` from an mp4 to masks and tracks.json on disk.

    PYTHONPATH=src python benchmarks/file.py                              # 1920 x 1080, one object
    PYTHONPATH=src python benchmarks/file.py --random base_plus --image-size 512 --frames 1000
    PYTHONPATH=src python benchmarks/file.py --against ../older --vga --objects 1 5

Runs the command in a process of its own and reads the figure that it prints: decoding and writing
included, start-up not. ``--against`` takes another checkout, whose runs alternate with ours, and
prints the median of the ratios. The video is drawn here: coloured discs that wander over a smooth
background. Needs PyAV, tyro and pycocotools, as the command does.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from statistics import median

import numpy as np
from contestants import shared_model, smooth_noise

from sam2s.benchmark.environment import environment
from sam2s.benchmark.text_table import Table

NEEDED = ("av", "tyro", "pycocotools")
HERE = Path(__file__).resolve().parents[1]
HD, VGA = (1080, 1920), (480, 640)
COLOURS = [(230, 40, 40), (40, 200, 60), (50, 80, 240), (240, 220, 40), (220, 60, 220)]
FIGURE = re.compile(r"([\d.]+) frames/s")


def centres(frame: int, size: tuple[int, int]) -> list[tuple[int, int]]:
    """(x, y) of each disc."""
    height, width = size
    turns = [0.02 * frame + k * 1.3 for k in range(len(COLOURS))]
    across = [width * (0.14 + 0.18 * k) for k in range(len(COLOURS))]
    return [
        (int(x + 0.05 * width * np.sin(turn)), int(height * (0.5 + 0.3 * np.cos(turn))))
        for x, turn in zip(across, turns, strict=True)
    ]


def scene(frames: int, size: tuple[int, int]) -> Iterator[np.ndarray]:
    """(H, W, 3) uint8 each: discs of a tenth of the height in radius."""
    background = smooth_noise(size) // 3 + 60
    rows, columns = np.ogrid[: size[0], : size[1]]
    for k in range(frames):
        picture = np.roll(background, 2 * k, axis=1)
        for (x, y), colour in zip(centres(k, size), COLOURS, strict=True):
            inside = (columns - x) ** 2 + (rows - y) ** 2 < (0.1 * size[0]) ** 2
            picture[inside] = colour
        yield picture


def run(
    checkout: Path, video: Path, size: tuple[int, int], objects: int, extra: list[str]
) -> float:
    """Frames/s that ``sam2s track`` of a checkout says it reached."""
    clicks = [f"{k + 1}:{x},{y}" for k, (x, y) in enumerate(centres(0, size)[:objects])]
    with tempfile.TemporaryDirectory() as out:
        command = [sys.executable, "-m", "sam2s.cli", "track", str(video), "--out", f"{out}/run"]
        command += [word for click in clicks for word in ("--click", click)]
        done = subprocess.run(
            [*command, *extra],
            env={**os.environ, "PYTHONPATH": str(checkout / "src")},
            capture_output=True,
            text=True,
            check=False,
        )
    figure = FIGURE.search(done.stdout)
    if done.returncode or figure is None:
        sys.exit(f"sam2s track of {checkout} failed: {(done.stderr or done.stdout).strip()[-600:]}")
    return float(figure[1])


def main(argv: list[str] | None = None) -> int:
    """Print a table, or why there is none."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    add = parser.add_argument
    add("--against", type=Path, metavar="CHECKOUT", help="another version of this repository")
    add("--objects", nargs="+", type=int, default=[1], choices=range(1, len(COLOURS) + 1))
    add("--vga", action="store_true", help="640 x 480 instead of 1920 x 1080")
    add("--frames", type=int, default=100)
    add("--rounds", type=int, default=5)
    add("--model", default="nano", help="what --model of sam2s track takes")
    add("--random", metavar="PRESET", help="random weights instead: their masks are speckled")
    add("--image-size", type=int)
    add("--device", default="auto")
    add("--json", type=Path, help="write everything here")
    given = parser.parse_args(argv)
    missing = [name for name in NEEDED if find_spec(name) is None]
    if missing:
        print(f"left out: sam2s track needs {', '.join(missing)}, not installed here")
        return 0
    size = VGA if given.vga else HD
    with tempfile.TemporaryDirectory() as folder:
        found = measure(given, Path(folder), size)
    names = ["this", *(["other", "this / other"] if given.against else [])]
    rows = [
        (f"{objects}", *(f"{value:.2f}" for value in values(r))) for objects, r in found.items()
    ]
    print(f"{given.random or given.model}, mp4 of {size[1]} x {size[0]}, {given.frames} frames;"
          f" frames/s, median of {given.rounds} rounds\n")  # fmt: skip
    print(Table(("objects", *names), tuple(rows)).markdown())
    if given.json:
        given.json.write_text(json.dumps({**environment(), "fps": found}, indent=1))
    return 0


def measure(
    given: argparse.Namespace, folder: Path, size: tuple[int, int]
) -> dict[int, dict[str, list[float]]]:
    """Frames/s of every round by number of objects and checkout; rounds alternate."""
    from sam2s.export.video_file import write_video

    video = folder / "scene.mp4"
    write_video(video, scene(given.frames, size))
    extra = ["--device", given.device, "--model", given.model]
    if given.random:
        from sam2s.weights.save import save_model

        model = shared_model(given.random, given.image_size or 1024)
        extra[-1] = str(save_model(model, folder / "model"))
    if given.image_size:
        extra += ["--image-size", str(given.image_size)]
    checkouts = {"this": HERE, **({"other": given.against.resolve()} if given.against else {})}
    found: dict[int, dict[str, list[float]]] = {}
    for objects in given.objects:
        rounds: dict[str, list[float]] = {name: [] for name in checkouts}
        for _ in range(given.rounds):
            for name, checkout in checkouts.items():
                rounds[name].append(run(checkout, video, size, objects, extra))
        found[objects] = rounds
    return found


def values(rounds: dict[str, list[float]]) -> list[float]:
    """Medians, and that of the ratios of runs that followed one another."""
    medians = [median(some) for some in rounds.values()]
    if "other" not in rounds:
        return medians
    pairs = zip(rounds["this"], rounds["other"], strict=True)
    return [*medians, median(ours / other for ours, other in pairs)]


if __name__ == "__main__":
    sys.exit(main())
