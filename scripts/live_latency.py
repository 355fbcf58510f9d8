"""How old the picture on the page is: `sam2s live` against a clock that is drawn into its frames.

    python scripts/live_latency.py OUT [--objects 1 5] [--seconds 30] [--size 640x480] [--fps 30]

Frames with moving squares and a clock (48 bits of the steady clock in microseconds, as blocks that
JPEG keeps) go raw into the program's standard input; its page's MJPEG stream is read as a browser
would, and each picture's clock compared with now. So what is measured is drawn to decoded: pipe,
tracking, overlay, JPEG and HTTP, without a camera and a screen. The program's own figures stand
beside. Run it on an idle machine. Writes OUT/latency.md and OUT/latency.json.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict
from io import BytesIO
from pathlib import Path
from threading import Event, Thread
from typing import BinaryIO, TextIO
from urllib.request import urlopen

import numpy as np
from PIL import Image

from sam2s.files import replace_text, write_json
from sam2s.live.latency import LatencyCounter, LatencySummary

BITS, BLOCK = 48, 12
"""Of the clock: two rows of blocks, 12 pixels wide, at the upper left."""
SIDE = 60
"""Pixels of a square that is tracked."""
WARM_UP = 3.0
"""Seconds that do not count."""


def main() -> int:
    """Measure for each number of objects; the exit code."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("out", type=Path)
    parser.add_argument("--objects", type=int, nargs="+", default=[1, 5])
    parser.add_argument("--seconds", type=float, default=30.0)
    parser.add_argument("--size", default="640x480")
    parser.add_argument("--fps", type=float, default=30.0)
    parser.add_argument("--model", default="nano")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    width, height = (int(side) for side in options.size.split("x"))
    if width < BITS // 2 * BLOCK or height < 4 * SIDE:
        parser.error(f"--size: at least {BITS // 2 * BLOCK}x{4 * SIDE}")
    head = ["objects", "latency, ms", "p50", "p95", "p99", "max", "frames/s", "dropped"]
    lines = ["| " + " | ".join(head) + " |", "|---:|---|" + "---:|" * 6]
    found = []
    for count in options.objects:
        report = options.out / f"report_{count}.json"
        seen = measure(options, count, (height, width), report)
        told = json.loads(report.read_text())
        rate = told["frames"] / told["seconds"]
        share = told["dropped"] / (told["dropped"] + told["frames"])
        rows = {
            "clock in the picture to page": asdict(seen),
            "capture to mask (own)": told["to_mask"],
            "capture to screen (own)": told["to_screen"]["page"],
        }
        for name, one in rows.items():
            figures = [f"{one[key]:.0f}" for key in ("p50", "p95", "p99", "max")]
            cells = [str(count), name, *figures, f"{rate:.1f}", f"{100 * share:.0f} %"]
            lines.append("| " + " | ".join(cells) + " |")
        found.append({"objects": count, "seen": asdict(seen), "own": told})
    table = "\n".join(lines) + "\n"
    replace_text(options.out / "latency.md", table)
    write_json(options.out / "latency.json", found)
    print(table)
    return 0


def measure(
    options: argparse.Namespace, count: int, size: tuple[int, int], report: Path
) -> LatencySummary:
    """One run: feed frames, read the page's stream, and compare clocks."""
    height, width = size
    boxes = [
        f"--box {i + 1}:{x},{y},{x + SIDE},{y + SIDE}"
        for i, (x, y) in enumerate(corners(count, size, 0))
    ]
    command = [
        *(sys.executable, "-m", "sam2s", "live", "-", "--raw", f"{width}x{height}", "--page"),
        *("--report", str(report), "--model", options.model),
        *" ".join(boxes).split(),
    ]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stderr=subprocess.PIPE)
    assert process.stdin is not None
    assert process.stderr is not None
    ended = Event()
    feeding = Thread(target=feed, args=(process.stdin, count, size, options.fps, ended))
    feeding.start()
    counter = LatencyCounter()
    try:
        address = stream_address(process.stderr)
        begun = time.perf_counter()
        for picture in jpegs(address):
            now = time.perf_counter()
            shown = read_clock(picture)
            if now - begun > WARM_UP and shown is not None:
                counter.add(now - shown)
            if now - begun > WARM_UP + options.seconds:
                break
    finally:
        ended.set()
        feeding.join()
        process.stderr.read()
        process.wait()
    return counter.summary()


def feed(pipe: BinaryIO, count: int, size: tuple[int, int], fps: float, ended: Event) -> None:
    """Frames at a steady rate, each with the clock of the moment it is given out."""
    rng = np.random.default_rng(0)
    ground = rng.integers(60, 120, (*size, 3), dtype=np.uint8)
    colours = rng.integers(130, 255, (count, 3), dtype=np.uint8)
    begun, number = time.perf_counter(), 0
    while not ended.is_set():
        picture = ground.copy()
        for (x, y), colour in zip(corners(count, size, number), colours, strict=True):
            picture[y : y + SIDE, x : x + SIDE] = colour
        draw_clock(picture, time.perf_counter())
        try:
            pipe.write(picture.tobytes())
            pipe.flush()
        except OSError:
            break
        number += 1
        time.sleep(max(0.0, begun + number / fps - time.perf_counter()))
    try:
        pipe.close()
    except OSError:
        return


def corners(count: int, size: tuple[int, int], number: int) -> list[tuple[int, int]]:
    """Upper left corners of the squares on frame ``number``, below the clock; on frame 0 they do
    not touch."""
    height, width = size
    places = []
    for i in range(count):
        middle = (i + 0.5) * width / count - SIDE / 2
        x = middle + 0.3 * width / count * np.sin(number / 15 + i)
        y = (height - SIDE) / 2 + 0.3 * (height - 3 * SIDE) * np.cos(number / 20 + i)
        places.append((int(np.clip(x, 0, width - SIDE)), int(np.clip(y, 30, height - SIDE))))
    return places


def draw_clock(picture: np.ndarray, seconds: float) -> None:
    """The time in microseconds as white and black blocks, high bits first."""
    value = int(seconds * 1e6)
    bits = np.array([(value >> (BITS - 1 - i)) & 1 for i in range(BITS)], np.uint8)
    blocks = np.kron(bits.reshape(2, -1) * 255, np.ones((BLOCK, BLOCK), np.uint8))
    picture[: blocks.shape[0], : blocks.shape[1]] = blocks[..., None]


def read_clock(jpeg: bytes) -> float | None:
    """The time that a picture shows; None where a block is neither white nor black."""
    with Image.open(BytesIO(jpeg)) as opened:
        grey = np.asarray(opened.convert("L"), float)
    part = grey[: 2 * BLOCK, : BITS // 2 * BLOCK].reshape(2, BLOCK, BITS // 2, BLOCK)
    levels = part[:, 3:-3, :, 3:-3].mean(axis=(1, 3)).ravel()
    if ((levels > 80) & (levels < 175)).any():
        return None
    value = 0
    for level in levels:
        value = 2 * value + int(level > 127)
    return value / 1e6


def stream_address(errors: BinaryIO | TextIO) -> str:
    """What the program says players are to open."""
    for line in errors:
        text = line.decode() if isinstance(line, bytes) else line
        print(text.rstrip(), file=sys.stderr)
        if text.startswith("for players: "):
            return text.partition(": ")[2].strip()
    raise SystemExit("sam2s live did not start")


def jpegs(address: str) -> Iterator[bytes]:
    """The pictures of an MJPEG stream."""
    with urlopen(address, timeout=60) as stream:
        while line := stream.readline():
            if line.lower().startswith(b"content-length:"):
                length = int(line.split(b":")[1])
                stream.readline()
                yield stream.read(length)


if __name__ == "__main__":
    sys.exit(main())
