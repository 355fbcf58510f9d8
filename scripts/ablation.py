"""The paper's ablation at nano's scale: python scripts/ablation.py OUT DATA [--model nano] [--seeds 1 2 3]

Trains every variant of ``recipes/ablation.py`` with every seed for the same number of steps, scores each on the folder
``DATA`` (``sam2s benchmark --suite long-term`` makes the suite), and writes ``OUT/ablation.json`` and
``OUT/ablation.md``: J&F as mean and spread over seeds, identity swaps, ECE. What is finished is kept, so the command
can be given again, and in several processes at once with different ``--seeds``.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from pathlib import Path
from statistics import fmean, pstdev
from typing import Any

from sam2s.benchmark.details import ALL
from sam2s.benchmark.journal import replace_text, write_json
from sam2s.benchmark.report import read_result
from sam2s.benchmark.run import Options, open_contestant, run_benchmark
from sam2s.recipes.ablation import VARIANTS, Variant, ablation, find_variant
from sam2s.train.checkpoint import CHECKPOINT
from sam2s.train.loop import run_training


def main() -> None:
    given = _arguments()
    given.out.mkdir(parents=True, exist_ok=True)
    for seed in given.seeds:
        for name in given.variants:
            train_and_score(find_variant(name), seed, given)
    results = collect(given.out)
    write_json(given.out / "ablation.json", results)
    replace_text(given.out / "ablation.md", table(results))
    print(table(results))


def train_and_score(variant: Variant, seed: int, given: argparse.Namespace) -> None:
    """One cell of the table, unless it is there."""
    folder = given.out / f"{variant.name}-seed{seed}"
    scores = folder / "scores.json"
    if scores.is_file():
        return
    if not (folder / "model").is_dir():
        config = ablation(variant, seed, model=given.model, steps=given.steps, clips=given.clips)
        resume = (folder / CHECKPOINT).is_file()
        run_training(config, folder, resume=resume, data_dir=given.scenes)
    contestant = open_contestant(folder / "model", memory=variant.memory)
    run_benchmark(given.data, contestant, Options(prompt=given.prompt, json=scores))


def collect(out: Path) -> dict[str, Any]:
    """What every finished run scored: {variant: {seed: result}}."""
    found: dict[str, Any] = {}
    for variant in VARIANTS:
        files = sorted(out.glob(f"{variant.name}-seed*/scores.json"))
        found[variant.name] = {
            "ideas": asdict(variant),
            "seeds": {file.parent.name.rsplit("seed", 1)[1]: read_result(file) for file in files},
        }
    return found


def table(results: dict[str, Any]) -> str:
    """Markdown: a row a variant, mean and spread (standard deviation over seeds)."""
    lines = ["| variant | seeds | J&F | identity swaps | ECE |", "|---|---:|---:|---:|---:|"]
    for name, found in results.items():
        runs = list(found["seeds"].values())
        cells = (_spread(values) for values in zip(*map(figures, runs), strict=True)) if runs else ["-"] * 3
        lines.append(f"| {name} | {len(runs)} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def figures(run: Mapping[str, Any]) -> tuple[float | None, ...]:
    """J&F and ECE in percent and the number of identity swaps of one result, in the order of the columns."""
    everything = run["details"][ALL]
    return run["mean"]["jf"], everything["swaps"], everything["ece"]


def _spread(values: Iterable[float | None]) -> str:
    known = [value for value in values if value is not None]
    return f"{fmean(known):.2f} ± {pstdev(known):.2f}" if known else "-"


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path)
    parser.add_argument("data", type=Path, help="masklet folder to score on")
    parser.add_argument("--model", default="nano", help="starting weights of every run")
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--variants", nargs="+", default=[variant.name for variant in VARIANTS])
    parser.add_argument("--steps", type=int, default=300)
    parser.add_argument("--clips", type=int, default=2)
    parser.add_argument("--prompt", default="3-click")
    parser.add_argument("--scenes", type=Path, default=None, help="where training scenes are kept")
    return parser.parse_args()


if __name__ == "__main__":
    main()
