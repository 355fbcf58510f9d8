"""``sam2s benchmark``: score a model on annotated videos, print a table."""

from __future__ import annotations

import sys

from sam2s.benchmark.report import markdown_table
from sam2s.benchmark.run import Options, open_contestant, run_benchmark
from sam2s.commands.options import Benchmark


def run(options: Benchmark) -> int:
    """Score, and print means by subset; per video and object they go to ``--json``."""
    contestant = open_contestant(
        options.model,
        memory=None if options.memory == "auto" else options.memory,
        device=options.device,
        precision=options.precision,
        image_size=options.image_size,
    )
    settings = Options(
        prompt=options.prompt,
        floors=options.floors,
        videos=options.video,
        json=options.json,
        masks=options.masks,
        progress=sys.stderr.isatty(),
    )
    result = run_benchmark(options.data, contestant, settings)
    print(markdown_table([result]), end="")
    if options.json is not None:
        print(f"all scores: {options.json}")
    return 0
