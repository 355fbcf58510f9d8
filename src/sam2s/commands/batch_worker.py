"""One job of a batch, wherever it is carried out: claimed, tracked, and its outcome kept."""

from __future__ import annotations

import os
import warnings
from collections.abc import Sequence
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import asdict, dataclass, replace
from functools import lru_cache
from io import StringIO
from pathlib import Path
from typing import Any, Literal

from sam2s.commands.job_table import BatchJob
from sam2s.commands.options import Track
from sam2s.commands.track import load, track
from sam2s.errors import InputError, Sam2sError
from sam2s.export.writer import TRACKS
from sam2s.model.sam2s import SAM2S
from sam2s.sharing.claims import SharedFolder
from sam2s.typed_json import read_json

State = Literal["done", "failed", "elsewhere"]


@dataclass(frozen=True, slots=True)
class JobRecord:
    """What came of a job. ``key``: of the job that this was; ``elsewhere``: another worker has it
    at the moment; ``code``: the exit code that ``track`` would have had; ``reason``: why it
    failed, one line; ``notes``: what it said; ``earlier``: it was done by an earlier run."""

    key: str
    state: State
    frames: int = 0
    objects: int = 0
    seconds: float = 0.0
    code: int = 0
    reason: str = ""
    notes: tuple[str, ...] = ()
    earlier: bool = False


class JobWorker:
    """Does jobs by name. ``folder``: where workers meet; ``threads``: of torch, None for its own
    choice. A model that several jobs name is loaded once."""

    def __init__(self, jobs: Sequence[BatchJob], folder: Path, threads: int | None = None) -> None:
        self._jobs = {job.name: job for job in jobs}
        self._folder = folder
        if threads is not None:
            import torch

            torch.set_num_threads(threads)

    def about(self) -> dict[str, Any]:
        """Nothing that the workers of a cluster would have to agree on."""
        return {}

    def work(self, name: str) -> dict[str, Any]:
        """The `JobRecord` of one job, as JSON."""
        return asdict(do_job(self._jobs[name], SharedFolder(self._folder)))


def do_job(job: BatchJob, shared: SharedFolder) -> JobRecord:
    """Carry out a job that no other worker has, unless it is done; keep and give its record."""
    with shared.claim(job.name) as mine:
        if not mine:
            return JobRecord(job.key, "elsewhere")
        # Another worker may have finished it between the check and the claim.
        record = done_before(job, shared)
        if record is None:
            record = _carry_out(job)
            shared.put(job.name, asdict(record))
        return record


def done_before(job: BatchJob, shared: SharedFolder) -> JobRecord | None:
    """The record of a job that was done as it stands, and whose result is still there."""
    path = shared.path(job.name)
    try:
        record = read_json(path, JobRecord)
    except InputError:  # none, or damaged: the job is done anew
        return None
    done = record.state == "done" and record.key == job.key
    if not done or not (job.track.out / TRACKS).is_file():
        return None
    return replace(record, earlier=True)


def _carry_out(job: BatchJob) -> JobRecord:
    """Track; what goes wrong with this job is its outcome."""
    said, key = StringIO(), job.key
    try:
        # What track prints would mix with what other jobs print.
        with redirect_stdout(said), redirect_stderr(StringIO()), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            outcome = track(job.track, _load_once)
    except Sam2sError as error:
        reason = " ".join(str(error).split())
        return JobRecord(key, "failed", code=error.exit_code, reason=reason)
    except Exception as error:
        if os.environ.get("SAM2S_DEBUG"):
            raise
        reason = " ".join(f"{type(error).__name__}: {error}".split())
        return JobRecord(key, "failed", code=1, reason=reason)
    lines = said.getvalue().splitlines()
    notes = tuple(line.removeprefix("note: ") for line in lines if line.startswith("note: "))
    return JobRecord(key, "done", outcome.frames, outcome.objects, outcome.seconds, notes=notes)


def _load_once(options: Track) -> SAM2S:
    """The model of the job before, where this one names the same."""
    same = Track(
        source="",
        out=Path(),
        model=options.model,
        device=options.device,
        image_size=options.image_size,
        weights_map=options.weights_map,
    )
    return _loaded(same)


_loaded = lru_cache(maxsize=1)(load)
