"""What ``sam2s batch`` can be asked, as typed values. Imports nothing heavy."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from tyro.conf import Positional, arg


@dataclass(frozen=True, slots=True)
class Batch:
    """Track many videos: one job a row of a table, several at a time, some perhaps on a cluster.

    Example: sam2s batch jobs.csv --workers 2

    The table is CSV with the columns source, prompts, out and options, of which source and out are
    needed. Paths are relative to the table; prompts is a file as for track --prompts; options are
    those of track, as they are typed. Jobs that are done are not done again; a job that fails does
    not stop the others. Several computers may work on one table in a folder that all of them see.
    """

    jobs: Positional[Path]
    """The table."""
    workers: Annotated[int | None, arg(metavar="N")] = None
    """Jobs at the same time: processes here (1 by default), or workers on the cluster (as many as
    fit by default)."""
    ray: Annotated[str | None, arg(metavar="ADDRESS")] = None
    """Spread the jobs over a Ray cluster that is there already: auto, host:6379 or
    ray://host:10001. Sources, prompts and results must have the same paths there."""
    reclaim: bool = False
    """When no other batch works on this table any more: do not wait for the claims of those that
    died."""
