"""Does the annotation server stay small on a long video? python scripts/annotate_long.py [--frames
20000] [--objects 5] [--sessions 50]

Makes a video of plain moving shapes, a project with a mask of every object on every frame, and a
real server; then asks for frames and masks all over the video, for the timeline, and opens and
closes the page's stream of events many times. Prints the time of each kind of answer and the
resident size of the server with its decoders before and after.
"""

from __future__ import annotations

import argparse
import random
import statistics
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import psutil
from annotate_kill import GONE, Client, start_server

from sam2s.annotate.project import Project
from sam2s.annotate.session_log import SessionLog
from sam2s.annotate.stored_masks import StoredMasks
from sam2s.export.video_file import write_video
from sam2s.masklets.masks import encode_rle
from sam2s.tracking.session.actions import Name, Propagate
from sam2s.tracking.session.mask_store import FoundMask
from sam2s.tracking.session.ranges import Stretch

HEIGHT, WIDTH, FPS = 480, 640, 25.0
ASKED = 300


def main() -> None:
    """Make, ask, print."""
    given = _arguments()
    with tempfile.TemporaryDirectory() as folder:
        video, project = Path(folder) / "long.mp4", Path(folder) / "project"
        write_video(video, _pictures(given.frames), FPS)
        _fill(project, video, given)
        address, process = start_server(project, "--no-browser")
        client = Client(address, random.Random(0))
        while not client.get(f"/api/videos/{client.video}")["indexed"]:
            time.sleep(0.5)
        client.wait_for_model()
        _ask(client, given.frames)
        before = _resident(process.pid)
        times = _ask(client, given.frames)
        for _ in range(given.sessions):
            _open_and_close(client)
        time.sleep(2)
        after = _resident(process.pid)
        for kind, seconds in times.items():
            worst = max(seconds)
            print(f"{kind}: median {statistics.median(seconds):.3f} s, longest {worst:.3f} s")
        print(f"resident: {before} MiB, and after {ASKED} more frames and {given.sessions}", end="")
        print(f" sessions {after} MiB")
        process.terminate()
        process.wait()


def _pictures(count: int) -> Iterator[np.ndarray]:
    ground = np.random.default_rng(0).integers(0, 90, (HEIGHT, WIDTH, 3), dtype=np.uint8)
    for k in range(count):
        picture = ground.copy()
        x = k * 3 % (WIDTH - 80)
        picture[200:280, x : x + 80] = (220, 210, 230)
        yield picture


def _fill(folder: Path, video: Path, given: argparse.Namespace) -> None:
    """A run that found every object on every frame, as a tracker would have left it."""
    project = Project(folder, [video])
    (one,) = project.videos
    log = SessionLog(project.engine, one.id, lambda _: None)
    ids = tuple(range(1, given.objects + 1))
    for i in ids:
        log.do(Name(i, f"object {i}"))
    entry = log.do(Propagate(ids, Stretch(0, given.frames - 1)))
    store = StoredMasks(project.engine, one.id, (HEIGHT, WIDTH))
    found = {}
    for i in ids:
        mask = np.zeros((HEIGHT, WIDTH), bool)
        mask[60 * i : 60 * i + 50, 100:260] = True
        found[i] = FoundMask(encode_rle(mask), 0.9, 0.8)
    for frame in range(given.frames):
        store.write(entry.number, frame, found)
    project.close()


def _ask(client: Client, frames: int) -> dict[str, list[float]]:
    """Seconds of answers about frames all over the video."""
    times: dict[str, list[float]] = {"a frame": [], "its masks": [], "the timeline": []}
    base = f"/api/videos/{client.video}"
    for frame in np.random.default_rng(1).integers(0, frames, ASKED).tolist():
        times["a frame"].append(_timed(client, f"{base}/frames/{frame}"))
        times["its masks"].append(_timed(client, f"{base}/frames/{frame}/masks"))
    for _ in range(3):
        times["the timeline"].append(_timed(client, f"{base}/lanes"))
    return times


def _timed(client: Client, path: str) -> float:
    begun = time.perf_counter()
    client.read(path)
    return time.perf_counter() - begun


def _open_and_close(client: Client) -> None:
    """What a page does that is opened and closed."""
    try:
        with client.stream("/api/events") as events:
            events.readline()
        client.read(f"/api/videos/{client.video}/session")
    except GONE as error:
        raise SystemExit(f"the server is gone: {error}") from error


def _resident(pid: int) -> int:
    """MiB of a process and its children, memory that they share counted once."""
    process = psutil.Process(pid)
    every = [process, *process.children(recursive=True)]
    return round(sum(one.memory_full_info().pss for one in every) / 2**20)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--frames", type=int, default=20_000)
    parser.add_argument("--objects", type=int, default=5)
    parser.add_argument("--sessions", type=int, default=50)
    return parser.parse_args()


if __name__ == "__main__":
    main()
