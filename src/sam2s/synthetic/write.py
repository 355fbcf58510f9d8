"""Synthetic videos as a masklet folder."""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path

import numpy as np
from tqdm import tqdm

from sam2s.errors import InputError
from sam2s.masklets.catalogue import CATALOGUE, VideoInfo, info_to_json, read_catalogue
from sam2s.masklets.writer import MaskletWriter
from sam2s.synthetic.cv import cv2
from sam2s.synthetic.procedures import PROCEDURES, TRAINING, find_procedure
from sam2s.synthetic.scene import Scene
from sam2s.synthetic.spec import SceneSpec, random_spec

JPEG_QUALITY = 92
SOURCE = "synthetic"
KINDS = ("JPEGImages", "Annotations")


@dataclass(frozen=True, slots=True)
class Order:
    """One video to make."""

    name: str
    spec: SceneSpec
    split: str


def video_seed(seed: int, index: int) -> int:
    """The seed of video ``index`` of a set made with ``seed``: sets of different seeds share no
    video."""
    return int(np.random.SeedSequence([seed, index]).generate_state(1, np.uint32)[0])


def synthesize(
    root: Path | str,
    *,
    videos: int,
    frames: int,
    size: int | tuple[int, int],
    seed: int,
    procedure: str | None = None,
    split: str = "train",
    progress: bool = True,
    workers: int = 1,
) -> list[str]:
    """Make ``videos`` synthetic videos in the masklet folder ``root`` and return their names.

    ``size``: side of a square, or (H, W), pixels. ``procedure``: one name for all; None: drawn by
    each video's seed, for the split ``train`` never the held-out one, for other splits any, in
    turn. ``workers``: processes; the files do not depend on it. Videos that the folder already
    lists are kept and not made again. Raises InputError for a value out of range, an unknown
    procedure, or when OpenCV is missing.
    """
    if videos < 1:
        raise InputError(f"synth: videos must be 1 or more, got {videos}")
    if workers < 1:
        raise InputError(f"synth: workers must be 1 or more, got {workers}")
    if procedure is not None:
        find_procedure(procedure)
    shape = (size, size) if isinstance(size, int) else size
    orders = []
    for index in range(videos):
        own = video_seed(seed, index)
        spec = random_spec(own, procedure or _procedure_for(own, index, split), frames, shape)
        orders.append(Order(f"{spec.procedure}_{index:04d}", spec, split))
    return write_orders(Path(root), orders, progress=progress, workers=workers)


def _procedure_for(seed: int, index: int, split: str) -> str:
    if split == "train":
        return str(np.random.default_rng([seed, 0xAC]).choice(TRAINING))
    return tuple(PROCEDURES)[index % len(PROCEDURES)]


def write_videos(
    root: Path | str,
    specs: Sequence[SceneSpec],
    *,
    split: str = "train",
    progress: bool = True,
    workers: int = 1,
) -> list[str]:
    """Write one video for each spec; names are the procedure and the spec's place, such as
    cholecystectomy_0007."""
    orders = [
        Order(f"{spec.procedure}_{index:04d}", spec, split) for index, spec in enumerate(specs)
    ]
    return write_orders(Path(root), orders, progress=progress, workers=workers)


def write_orders(root: Path, orders: Sequence[Order], *, progress: bool, workers: int) -> list[str]:
    """Write the orders that ``root`` does not hold yet; all their names."""
    cv2.useOptimized()  # says at once, in one line, when OpenCV is missing
    done = set(read_catalogue(root) or ())
    missing = [order for order in orders if order.name not in done]
    total = sum(order.spec.frames for order in missing)
    with tqdm(
        total=total,
        unit="frame",
        desc="synth",
        disable=not progress or not missing,
        file=sys.stderr,
    ) as bar:
        if workers == 1:
            for count in _write(root, missing):
                bar.update(count)
        elif missing:
            _write_parallel(root, missing, workers, bar)
    return [order.name for order in orders]


def _write(root: Path, orders: Sequence[Order]) -> Iterator[int]:
    """Write one video after another; yields 1 after each frame."""
    root.mkdir(parents=True, exist_ok=True)
    with MaskletWriter(root, quality=JPEG_QUALITY) as writer:
        for order in orders:
            scene = Scene(order.spec)
            info = VideoInfo(
                SOURCE, order.spec.procedure, order.split, order.spec.fps, dict(scene.objects)
            )
            writer.add_video(order.name, info)
            for t, (image, masks) in enumerate(scene.render()):
                writer.write(order.name, f"{t:05d}", image, masks)
                yield 1


def _write_parallel(root: Path, orders: Sequence[Order], workers: int, bar: tqdm) -> None:
    """Each video is made in a folder of its own beside the others, then moved in and listed in the
    given order."""
    root.mkdir(parents=True, exist_ok=True)
    nursery = root / ".synth.part"
    shutil.rmtree(nursery, ignore_errors=True)
    jobs = [(nursery / order.name, order) for order in orders]
    for order in orders:
        _clear_place(root, order.name)
    # An executor, since a multiprocessing.Pool replaces a worker that dies and waits for ever for
    # what it was to do.
    pool = ProcessPoolExecutor(
        min(workers, len(jobs)), get_context("spawn"), initializer=_one_thread
    )
    try:
        for part, order in zip(pool.map(_write_alone, jobs), orders, strict=True):
            _adopt(root, part, order.name)
            bar.update(order.spec.frames)
    except BrokenProcessPool:
        raise InputError(
            "synth: a process that makes videos came to an end; what is finished is kept. Use fewer"
            " workers where memory is short, and in a script of your own call this under if"
            ' __name__ == "__main__":'
        ) from None
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
        shutil.rmtree(nursery, ignore_errors=True)


def _one_thread() -> None:
    cv2.setNumThreads(1)


def _write_alone(job: tuple[Path, Order]) -> Path:
    folder, order = job
    for _ in _write(folder, [order]):
        pass
    return folder


def _marker(root: Path, name: str) -> Path:
    """The hidden folder that says a video is not finished; ``MaskletWriter`` uses the same."""
    return root / f".{name}.part"


def _clear_place(root: Path, name: str) -> None:
    """Remove what a crash left of an unlisted video; InputError when something there is not
    ours."""
    marker = _marker(root, name)
    taken = [path for kind in KINDS if (path := root / kind / name).exists()]
    if taken and not marker.exists():
        raise InputError(
            f"{taken[0]}: is there already, but {CATALOGUE} does not list it; move it away first"
        )
    for path in (*taken, marker):
        shutil.rmtree(path, ignore_errors=True)


def _adopt(root: Path, part: Path, name: str) -> None:
    """Move a finished video from its own masklet folder into ``root`` and list it there."""
    _marker(root, name).mkdir()
    listed = read_catalogue(root) or {}
    listed |= read_catalogue(part) or {}
    for kind in KINDS:
        (root / kind).mkdir(exist_ok=True)
        os.replace(part / kind / name, root / kind / name)
    text = json.dumps(
        {"videos": {key: info_to_json(info) for key, info in listed.items()}}, indent=1
    )
    temporary = root / f".{CATALOGUE}.part"
    temporary.write_text(text + "\n", encoding="utf-8")
    os.replace(temporary, root / CATALOGUE)
    _marker(root, name).rmdir()
