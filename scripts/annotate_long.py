"""Do the annotation server and its page stay small on a long video? python scripts/annotate_long.py
[--frames 20000] [--objects 5] [--sessions 50] [--tracked 200] [--folder DIR]

Makes a video of moving shapes, a project with a mask of every object on every frame, and a real
server. Then asks for frames and masks all over the video and for the timeline, tracks every object
on a stretch and asks meanwhile, works with the page in Chromium (go to, play, scrub, click), and
opens and closes the page many times. Prints the time of each kind of answer, and the memory of the
server with its decoders and of the page before and after. ``--folder`` keeps video and project for
the next time.
"""

from __future__ import annotations

import argparse
import random
import shutil
import statistics
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import psutil
from annotate_kill import Client, start_server

from sam2s.annotate.project import Project
from sam2s.annotate.session_log import SessionLog
from sam2s.annotate.stored_masks import StoredMasks
from sam2s.export.video_file import write_video
from sam2s.masklets.masks import encode_rle
from sam2s.tracking.session.actions import Name, Propagate
from sam2s.tracking.session.mask_store import FoundMask
from sam2s.tracking.session.ranges import Stretch

HEIGHT, WIDTH, FPS = 480, 640, 25.0
SIDE, PHASES = 76, 44
COLOURS = np.array([(220, 210, 230), (200, 90, 80), (90, 200, 120), (90, 130, 230), (230, 200, 60)])
ASKED, SHOWN = 300, 100
"""Frames asked of the server, and gone to on the page."""
MIB = 2**20
NO_TOUR = "localStorage.setItem('sam2s-tour-seen', 'yes')"
Times = dict[str, list[float]]


def main() -> None:
    """Make, ask, print."""
    given = _arguments()
    with tempfile.TemporaryDirectory() as temporary:
        folder = given.folder or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        _make(folder, given)
        address, process = start_server(folder / "project", "--no-browser", "--device", "cpu")
        try:
            _work(Client(address, random.Random(0)), process.pid, given)
        finally:
            process.terminate()
            process.wait()


def _make(folder: Path, given: argparse.Namespace) -> None:
    """The video and its project, unless they are there."""
    video, project = folder / "long.mp4", folder / "project"
    if (folder / "made").is_file():
        return
    shutil.rmtree(project, ignore_errors=True)
    write_video(video, _pictures(given), FPS)
    _fill(project, video, given)
    (folder / "made").touch()


def _work(client: Client, server: int, given: argparse.Namespace) -> None:
    started = time.perf_counter()
    while not client.get(f"/api/videos/{client.video}")["indexed"]:
        time.sleep(0.5)
    print(f"index: {time.perf_counter() - started:.0f} s")
    client.wait_for_model()
    _ask(client, given.frames, seed=1)
    print(f"server at the start: {_memory(server)} MiB")
    _say("asked of the server", _ask(client, given.frames, seed=2))
    print(f"server after {ASKED} more frames: {_memory(server)} MiB")
    if given.tracked:
        _say(f"while {given.objects} objects are tracked", _ask_while_tracking(client, given))
        print(f"server after tracking: {_memory(server)} MiB")
    with open_chromium() as browser:
        _use_page(browser, client, given)
        print(f"server after the page: {_memory(server)} MiB")
        for _ in range(given.sessions):
            page = open_page(browser, client)
            page.context.close()
    time.sleep(2)
    print(f"server after {given.sessions} sessions opened and closed: {_memory(server)} MiB")


def _corner(thing: int, frame: int) -> tuple[int, int]:
    """Row and column of a shape's upper left corner."""
    column = 4 + abs((frame * (2 + thing) + 90 * thing) % 1000 - 500)
    return 10 + 80 * (thing % 5) + round(9 * np.sin(frame / 9 + thing)), column


@cache
def _shape(phase: int) -> np.ndarray:
    """(SIDE, 1.5 SIDE) bool: an ellipse with a wavy outline; ``phase`` of `PHASES`."""
    rows, columns = np.mgrid[-1.2 : 1.2 : SIDE * 1j, -1.2 : 1.2 : 1.5 * SIDE * 1j]
    waves = 1 + 0.2 * np.sin(5 * np.arctan2(rows, columns) + 2 * np.pi * phase / PHASES)
    return np.asarray(rows**2 + columns**2 < waves)


def _place(thing: int, frame: int) -> tuple[slice, slice]:
    row, column = _corner(thing, frame)
    height, width = _shape(0).shape
    return slice(row, row + height), slice(column, column + width)


def _pictures(given: argparse.Namespace) -> Iterator[np.ndarray]:
    coarse = np.random.default_rng(0).integers(0, 90, (HEIGHT // 8, WIDTH // 8, 3), dtype=np.uint8)
    ground = coarse.repeat(8, 0).repeat(8, 1)
    for frame in range(given.frames):
        picture = ground.copy()
        for thing in range(given.objects):
            picture[_place(thing, frame)][_shape(frame % PHASES)] = COLOURS[thing % len(COLOURS)]
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
    for frame in range(given.frames):
        found = {}
        for i in ids:
            mask = np.zeros((HEIGHT, WIDTH), bool)
            mask[_place(i - 1, frame)] = _shape(frame % PHASES)
            found[i] = FoundMask(encode_rle(mask), 0.9, 0.8)
        store.write(entry.number, frame, found)
    project.close()


def _ask(client: Client, frames: int, seed: int) -> Times:
    """Seconds of answers about frames all over the video."""
    times: Times = {"a frame": [], "its masks": [], "the timeline": [], "the session": []}
    base = f"/api/videos/{client.video}"
    for frame in np.random.default_rng(seed).integers(0, frames, ASKED).tolist():
        times["a frame"].append(_timed(client, f"{base}/frames/{frame}"))
        times["its masks"].append(_timed(client, f"{base}/frames/{frame}/masks"))
    for _ in range(3):
        times["the timeline"].append(_timed(client, f"{base}/lanes"))
        times["the session"].append(_timed(client, f"{base}/session"))
    return times


def _ask_while_tracking(client: Client, given: argparse.Namespace) -> Times:
    """Track both ways from the middle; frames are asked for until that is done."""
    length, middle = given.tracked // 2, given.frames // 2
    objects = list(range(1, given.objects + 1))
    asked = {"objects": objects, "frame": middle, "direction": "both", "length": length}
    run = client.post("runs", asked)
    assert run is not None, "the run is refused"
    times: Times = {"a frame": [], "its masks": []}
    base, begun = f"/api/videos/{client.video}", time.perf_counter()
    source = random.Random(2)
    while True:
        frame = source.randrange(given.frames)
        times["a frame"].append(_timed(client, f"{base}/frames/{frame}"))
        times["its masks"].append(_timed(client, f"{base}/frames/{frame}/masks"))
        runs = client.get(f"{base}/session")["runs"]
        now = next(one for one in runs if one["version"] == run["version"])
        if now["state"] not in ("queued", "running"):
            break
        time.sleep(0.3)
    rate = now["visited"] / (time.perf_counter() - begun)
    print(f"tracked {now['visited']} frames, {now['state']}, {rate:.1f} frames/s")
    return times


@contextmanager
def open_chromium() -> Iterator[Any]:
    """A browser without a window."""
    from playwright.sync_api import sync_playwright

    path = shutil.which("chromium") or shutil.which("chromium-browser")
    if path is None:
        raise SystemExit("there is no Chromium on this machine")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield browser
        browser.close()


def open_page(browser: Any, client: Client, script: str = NO_TOUR) -> Any:
    """The page, ready; ``script`` runs before its own."""
    page = browser.new_context(viewport={"width": 1280, "height": 720}).new_page()
    page.add_init_script(script)
    page.goto(client.new_address())
    page.wait_for_selector("body[data-ready]")
    return page


def _use_page(browser: Any, client: Client, given: argparse.Namespace) -> None:
    """What an annotator does who looks for something in a long video."""
    page = open_page(browser, client)
    print(f"page when it has opened: {_page_memory(page)}")
    times = []
    for frame in np.random.default_rng(3).integers(0, given.frames, SHOWN).tolist():
        page.keyboard.press("g")
        page.fill("#go-to-text", str(frame))
        begun = time.perf_counter()
        page.keyboard.press("Enter")
        page.wait_for_function(
            "frame => document.querySelector('#position').textContent.startsWith(frame)",
            arg=f"frame {frame} of",
        )
        times.append(time.perf_counter() - begun)
    _say("on the page", {"go to a frame": times})
    page.keyboard.press("Space")
    page.wait_for_timeout(20_000)
    page.keyboard.press("Space")
    box = page.locator("#timeline").bounding_box()
    page.mouse.move(box["x"] + 200, box["y"] + 10)
    page.mouse.down()
    for x in np.random.default_rng(4).uniform(130, box["width"] - 10, 200).tolist():
        page.mouse.move(box["x"] + x, box["y"] + 10)
        page.wait_for_timeout(50)
    page.mouse.up()
    page.wait_for_timeout(1000)
    print(f"page after {SHOWN} frames, 20 s of playing and scrubbing: {_page_memory(page)}")
    page.context.close()


def _page_memory(page: Any) -> str:
    """The script's heap after a collection, and the processes that draw pages, the largest of
    which is this page's."""
    session = page.context.new_cdp_session(page)
    session.send("HeapProfiler.collectGarbage")
    session.send("Performance.enable")
    metrics = session.send("Performance.getMetrics")["metrics"]
    heap = next(one["value"] for one in metrics if one["name"] == "JSHeapUsedSize")
    session.detach()
    every = psutil.Process().children(recursive=True)
    drawing = [one for one in every if "--type=renderer" in one.cmdline()]
    sizes = [one.memory_full_info() for one in drawing]
    largest = max(sizes, key=lambda info: info.uss)
    return (
        f"heap {heap / MIB:.0f} MiB, its process {largest.pss / MIB:.0f} MiB (resident"
        f" {largest.rss / MIB:.0f}, its own {largest.uss / MIB:.0f})"
    )


def _timed(client: Client, path: str) -> float:
    begun = time.perf_counter()
    client.read(path)
    return time.perf_counter() - begun


def _say(where: str, times: Times) -> None:
    for kind, seconds in times.items():
        print(
            f"{where}: {kind}: median {statistics.median(seconds):.3f} s, longest"
            f" {max(seconds):.3f} s of {len(seconds)}",
            flush=True,
        )


def _memory(pid: int) -> int:
    """MiB of a process and its children, memory that they share counted once."""
    process = psutil.Process(pid)
    every = [process, *process.children(recursive=True)]
    return round(sum(one.memory_full_info().pss for one in every) / MIB)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--frames", type=int, default=20_000)
    parser.add_argument("--objects", type=int, default=5)
    parser.add_argument("--sessions", type=int, default=50)
    parser.add_argument("--tracked", type=int, default=200, help="frames")
    parser.add_argument("--folder", type=Path)
    return parser.parse_args()


if __name__ == "__main__":
    main()
