"""Synthetic videos as a masklet folder."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path

import numpy as np
from tqdm import tqdm

from sam2s.errors import InputError
from sam2s.masklets.catalogue import UNFINISHED, VideoInfo, read_catalogue
from sam2s.masklets.masklet_writer import StagedVideo
from sam2s.masklets.staging import Staging
from sam2s.opencv import cv2
from sam2s.progress import progress_bar
from sam2s.synthetic.procedures import PROCEDURES, TRAINING, find_procedure
from sam2s.synthetic.scene import SurgicalScene
from sam2s.synthetic.spec import SceneSpec, random_spec

JPEG_QUALITY = 92
SOURCE = "synthetic"


@dataclass(frozen=True, slots=True)
class VideoJob:
    """One video to make."""

    name: str
    spec: SceneSpec
    split: str


def video_seed(seed: int, index: int) -> int:
    """The seed of video ``index`` of a set made with ``seed``: sets of different seeds share no
    video."""
    return int(np.random.SeedSequence([seed, index]).generate_state(1, np.uint32)[0])


@dataclass(frozen=True, slots=True)
class VideoSetSpec:
    """A set of videos to make: ``videos`` of ``frames`` frames each.

    ``size``: side of a square, or (H, W), pixels. ``procedure``: one name for all; None: drawn by
    each video's seed, for the split ``train`` never the held-out one, for other splits any, in
    turn.
    """

    videos: int
    frames: int
    size: int | tuple[int, int]
    seed: int
    procedure: str | None = None
    split: str = "train"


def synthesize(
    root: Path | str, wanted: VideoSetSpec, *, progress: bool = True, workers: int = 1
) -> list[str]:
    """Make a set of synthetic videos in the masklet folder ``root`` and return their names.

    ``workers``: processes; the files do not depend on their number. Videos that the folder already
    lists are kept and not made again. Raises InputError for a value out of range, an unknown
    procedure, or when OpenCV is missing.
    """
    if wanted.videos < 1:
        raise InputError(f"synth: videos must be 1 or more, got {wanted.videos}")
    if workers < 1:
        raise InputError(f"synth: workers must be 1 or more, got {workers}")
    if wanted.procedure is not None:
        find_procedure(wanted.procedure)
    size, split = wanted.size, wanted.split
    shape = (size, size) if isinstance(size, int) else size
    jobs = []
    for index in range(wanted.videos):
        own = video_seed(wanted.seed, index)
        procedure = wanted.procedure or _procedure_for(own, index, split)
        spec = random_spec(own, procedure, wanted.frames, shape)
        jobs.append(VideoJob(f"{spec.procedure}_{index:04d}", spec, split))
    return write_jobs(Path(root), jobs, progress=progress, workers=workers)


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
    jobs = [
        VideoJob(f"{spec.procedure}_{index:04d}", spec, split) for index, spec in enumerate(specs)
    ]
    return write_jobs(Path(root), jobs, progress=progress, workers=workers)


def write_jobs(root: Path, jobs: Sequence[VideoJob], *, progress: bool, workers: int) -> list[str]:
    """Make the videos that ``root`` does not hold yet; return the names of all."""
    cv2.useOptimized()  # says at once, in one line, when OpenCV is missing
    names = [job.name for job in jobs]
    if set(names) <= set(read_catalogue(root) or ()) and not (root / UNFINISHED).exists():
        return names  # also where nobody may write, and while others read
    staging = Staging(root, "synthesis")
    missing = [job for job in jobs if job.name not in staging.catalogue]
    complete = False
    try:
        with progress_bar(
            sum(job.spec.frames for job in missing),
            "synth",
            shown=progress and bool(missing),
        ) as bar:
            if workers == 1 or not missing:
                _write_in_turn(staging, missing, bar)
            else:
                _write_parallel(staging, missing, workers, bar)
        complete = True
    finally:
        staging.release(finished=complete or not staging.catalogue)
    return names


def _write_in_turn(staging: Staging, jobs: Sequence[VideoJob], bar: tqdm) -> None:
    for job in jobs:
        hidden = staging.claim(job.name)
        try:
            info = _film(hidden, job, lambda: bar.update(1))
        except BaseException:
            staging.drop(job.name)
            raise
        staging.adopt(job.name, info)
        staging.write_catalogue()


def _film(folder: Path, job: VideoJob, on_frame: Callable[[], object] = lambda: None) -> VideoInfo:
    """Render one video into its hidden folder; ``on_frame`` is called after each frame."""
    scene = SurgicalScene(job.spec)
    spec = job.spec
    info = VideoInfo(SOURCE, spec.procedure, job.split, spec.fps, dict(scene.objects))
    video = StagedVideo(folder, job.name, info, JPEG_QUALITY)
    for t, (image, masks) in enumerate(scene.render()):
        video.write(f"{t:05d}", image, masks)
        on_frame()
    return info


def _write_parallel(staging: Staging, jobs: Sequence[VideoJob], workers: int, bar: tqdm) -> None:
    """Each video is made in its hidden folder, then moved in and listed in the given order."""
    folders = [staging.claim(job.name) for job in jobs]
    # An executor, since a multiprocessing.Pool replaces a worker that dies and waits for ever for
    # what it was to do.
    pool = ProcessPoolExecutor(
        min(workers, len(jobs)), get_context("spawn"), initializer=_one_thread
    )
    try:
        for job, info in zip(jobs, pool.map(_film, folders, jobs), strict=True):
            staging.adopt(job.name, info)
            staging.write_catalogue()
            bar.update(job.spec.frames)
    except BrokenProcessPool:
        raise InputError(
            "synth: a worker process died; finished videos are kept. Use fewer workers if memory is"
            ' short; in a script of your own, call this under if __name__ == "__main__":'
        ) from None
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
        for job in jobs:
            staging.drop(job.name)


def _one_thread() -> None:
    cv2.setNumThreads(1)
