"""How long `convert` takes beside plain copying plus mask decoding, and how much memory.

    python scripts/convert_speed.py [--frames 10000] [--folder DIR] [--json FILE]

Makes a source in CholecSeg8k's layout (854 x 480, clips of 80 frames, two graspers and five tissues
in code masks), then, each in a fresh process: copies the pictures and decodes the masks into one
array a class; converts with copied pictures; converts with linked ones; converts with copied ones
in as many processes as there are cores (their start and their own listing of the source included).
Files are read once before, so that all find them in the cache alike.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from PIL import Image

WIDTH, HEIGHT, CLIP, DISTINCT = 854, 480, 80, 40
JOBS = ("plain", "copy", "link", "workers")
CODES = (11, 21, 13, 12, 31, 23, 24, 25, 32, 22, 33, 5)


def make_source(root: Path, frames: int) -> None:
    """Frames repeat after ``DISTINCT``, as hard links; the masks of a clip move on from frame to
    frame."""
    originals = root.parent / "originals"
    originals.mkdir(parents=True)
    for i in range(DISTINCT):
        _picture(i).save(originals / f"{i}.png")
        _mask(i).save(originals / f"{i}_mask.png")
    for n in range(frames):
        start = n - n % CLIP
        # A gap between the clips keeps them apart, as in most of the real set.
        first = start * 2
        folder = root / f"video01/video01_{first:05d}"
        folder.mkdir(parents=True, exist_ok=True)
        i = n % DISTINCT
        os.link(originals / f"{i}.png", folder / f"frame_{first + n % CLIP}_endo.png")
        os.link(
            originals / f"{i}_mask.png",
            folder / f"frame_{first + n % CLIP}_endo_watershed_mask.png",
        )


def _picture(seed: int) -> Image.Image:
    rng = np.random.default_rng(seed)
    coarse = Image.fromarray(rng.integers(40, 200, (12, 20, 3)).astype(np.uint8))
    smooth = np.asarray(coarse.resize((WIDTH, HEIGHT), Image.Resampling.BICUBIC)).astype(np.int16)
    return Image.fromarray(
        (smooth + rng.integers(-4, 5, smooth.shape)).clip(0, 255).astype(np.uint8)
    )


def _mask(i: int) -> Image.Image:
    """Wavy borders, as hand-drawn ones are."""
    rows, columns = np.mgrid[:HEIGHT, :WIDTH]
    wave = 12 * np.sin(columns / 37 + i / 9) + 7 * np.sin(columns / 11)
    codes = np.full((HEIGHT, WIDTH), 11, dtype=np.uint8)
    codes[rows > 150 + wave] = 21
    codes[rows > 300 + wave] = 12
    codes[(rows > 200 + wave) & (columns > 500 + wave)] = 22
    codes[(rows < 100 + wave) & (columns > 600)] = 13
    for left, slope in ((100 + i, 0.5), (700 - i, -0.4)):
        codes[(abs(columns - left - slope * rows) < 22) & (rows > 40) & (rows < 330)] = 31
    codes[(rows - 240.0) ** 2 * 3 + (columns - 427.0) ** 2 > 420**2] = 50
    codes[[0, -1]], codes[:, [0, -1]] = 255, 255
    return Image.fromarray(np.repeat(codes[..., None], 3, axis=2))


def plain(root: Path, out: Path) -> None:
    """Copying and decoding, nothing else, with nothing of this package: one array for every class
    that a frame shows.

    No plain script would bother to count the codes first, which makes this one faster by a fifth.
    """
    out.mkdir(parents=True)
    for clip in sorted((root / "video01").iterdir()):
        for picture in sorted(clip.glob("*_endo.png")):
            shutil.copyfile(picture, out / f"{clip.name}_{picture.name}")
            with Image.open(picture.with_name(f"{picture.stem}_watershed_mask.png")) as mask:
                codes = mask.getchannel(0)
                counts, pixels = codes.histogram(), np.asarray(codes)
            [pixels == code for code in CODES if counts[code]]


def converted(root: Path, out: Path, job: str) -> None:
    from sam2s.convert.convert import ConvertSettings, convert

    workers = os.cpu_count() or 1 if job == "workers" else 1
    mode = "link" if job == "link" else "copy"
    settings = ConvertSettings(workers=workers)
    convert("cholecseg8k", root, out, mode, progress=False, settings=settings)  # type: ignore[arg-type]


def measured(job: str, root: Path, out: Path) -> dict[str, float]:
    """Seconds and the largest resident size in MB of one job in a process of its own."""
    command = [sys.executable, __file__, "--job", job, "--root", str(root), "--out", str(out)]
    lines = subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()
    shutil.rmtree(out, ignore_errors=True)
    return json.loads(lines[-1])


def run_job(job: str, root: Path, out: Path) -> None:
    began, cpu = time.perf_counter(), _processor_time()
    if job == "plain":
        plain(root, out)
    else:
        converted(root, out, job)
    figures = {"seconds": time.perf_counter() - began, "cpu_seconds": _processor_time() - cpu}
    peak = (
        max(
            resource.getrusage(who).ru_maxrss
            for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
        )
        / 1024
    )
    print(
        json.dumps(
            {name: round(value, 2) for name, value in figures.items()} | {"peak_mb": round(peak, 1)}
        )
    )


def _processor_time() -> float:
    """Processor seconds of this process and of its children that have ended."""
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--frames", type=int, default=10_000)
    parser.add_argument("--folder", type=Path, help="where to work (default: a temporary folder)")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--job", choices=JOBS, help=argparse.SUPPRESS)
    parser.add_argument("--root", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--out", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.job:
        run_job(arguments.job, arguments.root, arguments.out)
        return
    with tempfile.TemporaryDirectory(dir=arguments.folder) as work:
        root = Path(work) / "source"
        make_source(root, arguments.frames)
        jobs = {job: measured(job, root, Path(work) / f"out_{job}") for job in JOBS}
    ratios = {
        f"{job}_{unit}_over_plain": round(jobs[job][unit] / jobs["plain"][unit], 3)
        for job in JOBS[1:]
        for unit in ("seconds", "cpu_seconds")
    }
    report = (
        {"frames": arguments.frames, "machine": f"{platform.machine()}, {os.cpu_count()} cores"}
        | jobs
        | ratios
    )
    report["command"] = " ".join(["python", "scripts/convert_speed.py", *sys.argv[1:]])
    print(json.dumps(report, indent=1))
    if arguments.json:
        arguments.json.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
