"""Frames per second of the synthetic scenes on one core, making the scene included; prints machine
and command.

    OMP_NUM_THREADS=1 python scripts/synth_speed.py [--size 256] [--frames 150] [--scenes 2]
    [--write]

``--write`` also measures writing the masklet folder (JPEG and PNG) into a temporary folder.
"""

from __future__ import annotations

import argparse
import os
import platform
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from sam2s.opencv import cv2
from sam2s.synthetic import PROCEDURES, SurgicalScene, random_spec, write_videos


def machine() -> str:
    """Processor, cores, and the versions that matter."""
    name = platform.processor() or platform.machine()
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        name = next(
            line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")
        )
    except (OSError, StopIteration):
        pass
    load = f"{os.getloadavg()[0]:.1f}" if hasattr(os, "getloadavg") else "?"
    versions = (
        f"Python {platform.python_version()}, NumPy {np.__version__}, OpenCV {cv2.__version__}"
    )
    return f"{name}, {os.cpu_count()} cores, load {load}; {versions}"


def measure(procedure: str, seed: int, frames: int, size: int) -> tuple[float, float]:
    """Processor seconds for (making the scene, rendering all frames with masks)."""
    start = time.process_time()
    scene = SurgicalScene(random_spec(seed, procedure, frames, (size, size)))
    made = time.process_time()
    for _ in scene.render():
        pass
    return made - start, time.process_time() - made


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--size", type=int, default=256)
    parser.add_argument("--frames", type=int, default=150)
    parser.add_argument("--scenes", type=int, default=2, help="of each procedure")
    parser.add_argument("--write", action="store_true")
    options = parser.parse_args()
    cv2.setNumThreads(1)
    print(f"machine: {machine()}")
    print(f"command: {' '.join(['python', *sys.argv])}")
    total = 0.0
    for procedure in PROCEDURES:
        times = np.array(
            [
                measure(procedure, seed, options.frames, options.size)
                for seed in range(options.scenes)
            ]
        )
        setup, render = times.mean(0)
        total += setup + render
        rate = options.frames / (setup + render)
        per_frame = 1000 * render / options.frames
        print(
            f"{procedure:16s} scene {setup:5.2f} s   frame {per_frame:5.2f} ms   {rate:6.1f}"
            " frames/s in all"
        )
    print(
        f"all procedures: {len(PROCEDURES) * options.frames / total:.1f} frames/s of processor time"
    )
    if options.write:
        specs = [
            random_spec(0, name, options.frames, (options.size, options.size))
            for name in PROCEDURES
        ]
        with tempfile.TemporaryDirectory() as folder:
            start = time.process_time()
            write_videos(folder, specs, progress=False)
            seconds = time.process_time() - start
        print(
            f"with writing: {len(specs) * options.frames / seconds:.1f} frames/s of processor time"
        )


if __name__ == "__main__":
    main()
