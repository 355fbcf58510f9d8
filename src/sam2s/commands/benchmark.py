"""``sam2s benchmark``: score a model on annotated videos, print a table."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path

from sam2s.benchmark.diagnostics import diagnostics_table
from sam2s.benchmark.report import markdown_table
from sam2s.benchmark.run_benchmark import (
    BenchmarkResult,
    EvaluatedModel,
    Options,
    open_model,
    run_benchmark,
)
from sam2s.commands.benchmark_options import Benchmark
from sam2s.commands.terminal import say, say_text
from sam2s.devices import describe
from sam2s.errors import InputError
from sam2s.files import check_file, check_folder
from sam2s.tracking.tracker import Tracker
from sam2s.weights.load import load_model


def run(options: Benchmark) -> int:
    """Score, and print means by subset; per video and object they go to ``--json`` or
    ``--report``."""
    if options.shard is not None and options.ray is not None:
        raise InputError(
            "--shard and --ray: give one of them; a Ray cluster shares out the videos itself"
        )
    settings = Options(
        prompt=options.prompt,
        rules=options.rules,
        suite=None if options.suite == "none" else options.suite,
        floors=options.floors,
        videos=options.video,
        json=_json(options),
        masks=options.masks,
        progress=True,
    )
    result = _result(options, settings)
    if result is None:
        return 0
    _tell(result)
    if settings.json is not None:
        say(f"all scores: {settings.json}")
    if options.report is not None:
        say(f"report: {_report(options.report, result)}")
    return 0


def _result(options: Benchmark, settings: Options) -> BenchmarkResult | None:
    """The scores, from this process, a share of it, or a cluster; None while other shards are
    missing."""
    open_one = partial(_open, options)
    if options.ray is not None:
        from sam2s.benchmark.ray_run import run_on_ray
        from sam2s.sharing.ray_actors import Cluster

        return run_on_ray(options.data, open_one, settings, Cluster(options.ray))
    if options.shard is None:
        return run_benchmark(options.data, _announced(open_one()), settings)
    from sam2s.benchmark.shards import Shard, run_shard

    shard = Shard.parse(options.shard)
    progress = run_shard(
        options.data, _announced(open_one()), settings, shard, reclaim=options.reclaim
    )
    if progress.result is None:
        say(
            f"{progress.finished} of {progress.videos} videos are finished; the shard that ends"
            " last writes the result"
        )
    return progress.result


def _open(options: Benchmark) -> EvaluatedModel:
    """The model with the rule it is to be scored under; called on every worker."""
    evaluated = open_model(
        options.model
        if options.weights_map is None
        else load_model(
            options.model,
            device=options.device,
            image_size=options.image_size,
            weights_map=options.weights_map,
        ),
        memory=None if options.memory == "auto" else options.memory,
        device=options.device,
        precision=options.precision,
        image_size=options.image_size,
        exclusive=options.exclusive,
    )
    return replace(evaluated, about={**evaluated.about, "name": str(options.model)})


def _announced(evaluated: EvaluatedModel) -> EvaluatedModel:
    """The same; where it runs is printed."""
    tracker = evaluated.tracker
    assert isinstance(tracker, Tracker), "the command line scores models only"
    say(f"running on {describe(tracker.device, bf16=tracker.bf16)}")
    return evaluated


def _json(options: Benchmark) -> Path | None:
    """The result file: as asked for, else in the report's folder. Every place that will be written
    to is made and tried now."""
    check_file(options.json)
    check_folder(options.masks)
    if options.report is None:
        return options.json
    from sam2s.benchmark.suite_report import prepare_report

    beside = prepare_report(options.report)
    return beside if options.json is None else options.json


def _report(folder: Path, result: BenchmarkResult) -> Path:
    from sam2s.benchmark.suite_report import write_report

    return write_report(folder, result.to_json())


def _tell(result: BenchmarkResult) -> None:
    """Print the tables, and what a reader has to know of them."""
    entry = result.to_json()
    say_text(markdown_table([entry]))
    say_text(diagnostics_table(entry["details"]))
    for note in entry["protocol"]["notes"]:
        say(f"note: {note}")
    if "suite" in entry and entry["suite"]["missing"]:
        say(f"missing, and in no mean: {', '.join(entry['suite']['missing'])}")
