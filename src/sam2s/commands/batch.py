"""``sam2s batch``: a table of jobs, on processes of this machine or a Ray cluster."""

from __future__ import annotations

import os
from collections.abc import Generator, Mapping, Sequence
from contextlib import ExitStack, closing
from dataclasses import replace
from typing import Any

from sam2s.commands.batch_options import Batch
from sam2s.commands.batch_worker import JobRecord, JobWorker, done_before
from sam2s.commands.job_table import BatchJob, read_jobs
from sam2s.commands.terminal import say
from sam2s.errors import InputError
from sam2s.files import check_folder
from sam2s.sharing.claims import SharedFolder
from sam2s.sharing.processes import ProcessPool
from sam2s.sharing.ray_actors import ActorPool, Cluster, connected, import_ray
from sam2s.typed_json import build

CRASHED = 1
"""Exit code of a batch one of whose jobs took its process along."""


def run(options: Batch) -> int:
    """Do the jobs that are not done; the exit code is the largest of the jobs'."""
    if options.workers is not None and options.workers < 1:
        raise InputError(f"--workers {options.workers}: expected 1 or more")
    jobs = read_jobs(options.jobs)
    folder = options.jobs.resolve().with_name(options.jobs.name + ".batch")
    check_folder(folder)
    shared = SharedFolder(folder)
    if options.reclaim:
        shared.reclaim()
    records: dict[str, JobRecord] = {}
    for job in jobs:
        before = done_before(job, shared)
        if before is not None:
            records[job.name] = before
    left = [job for job in jobs if job.name not in records]
    if records:
        say(f"{len(records)} of {len(jobs)} jobs are done already")
    named = {job.name: job for job in jobs}
    try:
        with closing(_outcomes(options, left, shared)) as outcomes:
            for name, outcome in outcomes:
                records[name] = _record(outcome)
                _say_outcome(named[name], records[name], len(records), len(jobs))
    finally:  # an interrupt as well leaves a summary of what was finished, though nobody asked yet
        for job in left:
            late = None if job.name in records else done_before(job, shared)
            if late is not None:
                records[job.name] = replace(late, earlier=False)
        _say_summary(jobs, records)
    return max((record.code for record in records.values()), default=0)


def _outcomes(
    options: Batch, jobs: Sequence[BatchJob], shared: SharedFolder
) -> Generator[tuple[str, Mapping[str, Any] | str]]:
    """(job, its record as JSON or why there is none), as they come in."""
    if not jobs:
        return
    names = [job.name for job in jobs]
    with ExitStack() as taken:
        pool: ActorPool | ProcessPool
        if options.ray is not None:
            ray = import_ray()
            taken.enter_context(connected(ray, options.ray))
            cluster = Cluster(options.ray, options.workers)
            pool = ActorPool(ray, cluster, len(jobs), JobWorker, (tuple(jobs), shared.folder))
        else:
            count = min(options.workers or 1, len(jobs))
            threads = None if count == 1 else max(1, (os.cpu_count() or 1) // count)
            pool = ProcessPool(count, JobWorker, (tuple(jobs), shared.folder, threads))
        taken.callback(pool.stop)
        yield from pool.each(names)


def _record(outcome: Mapping[str, Any] | str) -> JobRecord:
    if isinstance(outcome, str):
        return JobRecord("", "failed", code=CRASHED, reason=outcome)
    return build(dict(outcome), JobRecord, "a worker's answer")


def _say_outcome(job: BatchJob, record: JobRecord, count: int, total: int) -> None:
    what = {
        "done": f"{record.frames} frames, {_rate(record)} frames/s",
        "failed": record.reason,
        "elsewhere": "another worker has it",
    }[record.state]
    say(f"{count}/{total} {job.shown}: {record.state}: {what}")


def _say_summary(jobs: Sequence[BatchJob], records: Mapping[str, JobRecord]) -> None:
    rows = [("out", "state", "frames", "objects", "frames/s", "note")]
    for job in jobs:
        record = records.get(job.name)
        if record is None:
            rows.append((job.shown, "not done", "", "", "", ""))
            continue
        done = record.state == "done"
        note = "by an earlier run" if record.earlier else record.reason or "; ".join(record.notes)
        counts = str(record.frames), str(record.objects), _rate(record)
        rows.append((job.shown, record.state, *(counts if done else ("", "", "")), note))
    widths = [max(len(row[column]) for row in rows) for column in range(5)]
    for row in rows:
        head = [cell.ljust(width) for cell, width in zip(row[:2], widths[:2], strict=True)]
        figures = [cell.rjust(width) for cell, width in zip(row[2:5], widths[2:], strict=True)]
        say("  ".join([*head, *figures, row[5]]).rstrip())
    failed = sum(record.state == "failed" for record in records.values())
    if failed:
        say(f"{failed} of {len(jobs)} jobs failed; give the same command to try them again")
    missing = len(jobs) - len(records)
    if missing:
        say(f"{missing} of {len(jobs)} jobs left; give the same command to go on")


def _rate(record: JobRecord) -> str:
    return f"{record.frames / record.seconds:.1f}" if record.seconds else "-"
