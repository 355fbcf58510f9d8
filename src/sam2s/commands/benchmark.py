"""``sam2s benchmark``: score a model on annotated videos, print tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from sam2s.benchmark.diagnostics import diagnostics_table
from sam2s.benchmark.environment import environment
from sam2s.benchmark.report import read_result, results_table, runs_table, scores_table
from sam2s.benchmark.run_benchmark import (
    BenchmarkResult,
    EvaluatedModel,
    Options,
    open_model,
    prepare,
    run_benchmark,
)
from sam2s.benchmark.selection import ObjectName
from sam2s.commands.benchmark_options import Benchmark
from sam2s.commands.terminal import say, say_table
from sam2s.devices import describe
from sam2s.errors import InputError
from sam2s.files import check_file, check_folder
from sam2s.memory.all_rules import RULES
from sam2s.tracking.tracker import Tracker
from sam2s.weights.load import load_model

Entry = Mapping[str, Any]


def run(options: Benchmark) -> int:
    """Score under each rule, and print means by subset, and by video, object or class where asked;
    everything goes to ``--json`` or ``--report``."""
    rules = _rules(options)
    if options.shard is not None and options.ray is not None:
        raise InputError(
            "--shard and --ray: give one of them; a Ray cluster shares out the videos itself"
        )
    if len(rules) > 1 and (options.shard or options.ray):
        raise InputError("--memory: with --shard or --ray give one rule at a time")
    places = {rule: _places(options, rule if len(rules) > 1 else None) for rule in rules}
    finished = _finished({rule: json for rule, (json, _) in places.items()})
    entries: list[Entry] = []
    for rule, (json, masks) in places.items():
        if rule in finished:
            say(f"{rule}: done before ({json})")
            entries.append(finished[rule])
            continue
        settings = replace(_settings(options), json=json, masks=masks)
        result = _result(options, rule, settings)
        if result is None:
            return 0
        entries.append(result.to_json())
    _tell(options, entries)
    for json, _ in places.values():
        if json is not None:
            say(f"all scores: {json}")
    if options.report is not None:
        say(f"report: {_report(options, entries, [masks for _, masks in places.values()])}")
    return 0


def _rules(options: Benchmark) -> tuple[str, ...]:
    """The memory rules to score under, each once; InputError for one that there is not."""
    rules = tuple(dict.fromkeys(part.strip() for part in options.memory.split(",")))
    for rule in rules:
        if rule not in ("auto", *RULES):
            raise InputError(
                f"--memory {options.memory}: expected {', '.join(('auto', *sorted(RULES)))}, or"
                " several of them with commas"
            )
    return rules


def _finished(files: Mapping[str, Path | None]) -> dict[str, Entry]:
    """The results of the same command that was cut off between two of its rules; none where it had
    come to its end, or has not begun."""
    there = {
        rule: read_result(json)
        for rule, json in files.items()
        if json is not None and json.is_file()
    }
    now = environment()
    same: dict[str, Entry] = {
        rule: entry
        for rule, entry in there.items()
        if all(entry["provenance"][key] == now[key] for key in ("command", "packages"))
    }
    return same if len(same) < len(files) else {}


def _settings(options: Benchmark) -> Options:
    return Options(
        prompt=options.prompt,
        rules=options.rules,
        suite=None if options.suite == "none" else options.suite,
        floors=options.floors,
        videos=options.video,
        objects=tuple(map(ObjectName.parse, options.object)),
        progress=True,
    )


def _result(options: Benchmark, rule: str, settings: Options) -> BenchmarkResult | None:
    """The scores, from this process, a share of it, or a cluster; None while other shards are
    missing."""
    open_one = partial(_open, options, rule)
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


def _open(options: Benchmark, rule: str) -> EvaluatedModel:
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
        memory=None if rule == "auto" else rule,
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


def _places(options: Benchmark, rule: str | None) -> tuple[Path | None, Path | None]:
    """The result file and the folder of masks: as asked for, else in the report's folder; of one
    ``rule`` among several under names of its own. Every place is made and tried now."""
    json, masks = options.json, options.masks
    if options.report is not None:
        from sam2s.benchmark.suite_report import prepare_report

        beside = prepare_report(options.report)
        json = beside if json is None else json
        masks = options.report / "masks" if masks is None else masks
    if rule is not None:
        json = None if json is None else json.with_name(f"{json.stem}-{rule}{json.suffix}")
        masks = None if masks is None else masks / rule
    check_file(json)
    check_folder(masks)
    return json, masks


def _report(options: Benchmark, entries: Sequence[Entry], masks: Sequence[Path | None]) -> Path:
    from sam2s.benchmark.object_pictures import MasksOfRun
    from sam2s.benchmark.suite_report import write_report

    assert options.report is not None, "asked for"
    data, _ = prepare(options.data, _settings(options))
    runs = [
        MasksOfRun(str(entry["model"]["memory"]["rule"]), folder)
        for entry, folder in zip(entries, masks, strict=True)
        if folder is not None
    ]
    return write_report(options.report, entries, data, runs)


def _tell(options: Benchmark, entries: Sequence[Entry]) -> None:
    """Print the tables, and what a reader has to know of them."""
    say_table(results_table(entries))
    for by in options.per:
        say_table(scores_table(entries, by))
    say_table(
        diagnostics_table(entries[0]["details"]) if len(entries) == 1 else runs_table(entries)
    )
    for note in entries[0]["protocol"]["notes"]:
        say(f"note: {note}")
    if "suite" in entries[0] and entries[0]["suite"]["missing"]:
        say(f"missing, and in no mean: {', '.join(entries[0]['suite']['missing'])}")
