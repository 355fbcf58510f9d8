"""All memory rules on the same weights and videos: python scripts/rules_table.py OUT --data DIR
[--suite long-term]

For every prompt one table: J&F by subset and its mean, identity swaps, recovery after absence,
false presence, ECE, frames/s. ``OUT`` gets a result file per rule and prompt, ``table.json``,
``table.md``, and plots per prompt: J&F as bars, J&F over the time since the prompt, reliability.
Rules and videos that are done are not run again; stopped, the same command goes on. ``--data``
may be given several times; each folder gets tables of its own.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sam2s.benchmark.diagnostics import ALL, COLUMNS, diagnostics_cells
from sam2s.benchmark.environment import environment
from sam2s.benchmark.plots import plot_comparison, plot_course, plot_reliability
from sam2s.benchmark.report import line, number, read_result
from sam2s.benchmark.run_benchmark import (
    EvaluatedModel,
    Options,
    describe_protocol,
    open_model,
    prepare,
    run_benchmark,
)
from sam2s.errors import InputError
from sam2s.extras import require_plots
from sam2s.files import replace_text, write_json
from sam2s.memory.all_rules import RULES

Entry = Mapping[str, Any]


def main() -> None:
    given = _arguments()
    require_plots()
    given.out.mkdir(parents=True, exist_ok=True)
    tables: dict[str, Any] = {}
    texts = []
    for data in given.data:
        for prompt in given.prompt or ["3-click"]:
            runs = {rule: score(given, data, prompt, rule) for rule in given.rule or RULES}
            title = f"{data.name}, {prompt}"
            tables[title] = {rule: summary(entry) for rule, entry in runs.items()}
            texts.append(f"## {title}\n\n{table(runs)}")
            draw(runs, given.out / f"{data.name}_{prompt}", title)
            print(texts[-1], flush=True)
    write_json(given.out / "table.json", {"tables": tables, "provenance": environment()})
    replace_text(given.out / "table.md", "\n".join(texts))
    print(f"all numbers: {given.out / 'table.json'}")


def score(given: argparse.Namespace, data: Path, prompt: str, rule: str) -> Entry:
    """The result of one rule, from its file where it is there already."""
    file = given.out / f"{data.name}_{prompt}_{rule}.json"
    options = Options(prompt=prompt, suite=given.suite, videos=tuple(given.video), json=file)
    where = {"device": given.device, "precision": given.precision, "image_size": given.image_size}
    evaluated = open_model(given.model, memory=rule, **where)
    if file.is_file():
        return _known(file, data, evaluated, options)
    print(f"{rule}, {prompt}:", flush=True)
    return run_benchmark(data, evaluated, options).to_json()


def _known(file: Path, data: Path, evaluated: EvaluatedModel, options: Options) -> Entry:
    """A result that is there; InputError when it is another model's or another protocol's."""
    entry = read_result(file)
    folder, names = prepare(data, options)
    now = {"model": dict(evaluated.about), "protocol": describe_protocol(folder, options)}
    if any(entry[key] != now[key] for key in now) or set(entry["videos"]) != set(names):
        raise InputError(
            f"{file}: holds a result of another model, protocol or data; give another OUT, or"
            " delete it"
        )
    return entry


def summary(entry: Entry) -> dict[str, Any]:
    """What the table shows of one rule, as numbers."""
    details = {
        key: value
        for key, value in entry["details"][ALL].items()
        if key not in ("reliability", "course")
    }
    subsets = {
        name: None if score is None else score["jf"] for name, score in entry["subsets"].items()
    }
    return {"mean": entry["mean"], "subsets": subsets, "fps": entry["fps"], **details}


def table(runs: Mapping[str, Entry]) -> str:
    """A row per rule, the best J&F first."""
    ranked = sorted(runs, key=lambda rule: -runs[rule]["mean"]["jf"])
    subsets = list(runs[ranked[0]]["subsets"])
    head = ["memory rule", "J&F", *(subsets if len(subsets) > 1 else ()), *COLUMNS, "frames/s"]
    lines = [line(head), line([":--", *["--:"] * (len(head) - 1)])]
    for rule in ranked:
        entry = runs[rule]
        scores = [entry["mean"], *(entry["subsets"][name] for name in subsets if len(subsets) > 1)]
        cells = [number(None if score is None else score["jf"]) for score in scores]
        lines.append(
            line([rule, *cells, *diagnostics_cells(entry["details"][ALL]), number(entry["fps"], 1)])
        )
    return "\n".join(lines) + "\n"


def draw(runs: Mapping[str, Entry], stem: Path, title: str) -> None:
    """The three plots of one table."""
    plot_comparison(
        {r: e["mean"]["jf"] for r, e in runs.items()},
        stem.with_name(f"{stem.name}_jf.png"),
        f"J&F by memory rule: {title}",
    )
    plot_course(runs, stem.with_name(f"{stem.name}_course.png"))
    plot_reliability(runs, stem.with_name(f"{stem.name}_reliability.png"))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("out", type=Path)
    parser.add_argument("--data", type=Path, action="append", required=True)
    parser.add_argument("--suite", choices=("long-term", "sa-sv"))
    parser.add_argument("--model", default="nano")
    parser.add_argument(
        "--prompt",
        action="append",
        default=[],
        choices=("1-click", "3-click", "5-click", "box", "mask"),
    )
    parser.add_argument("--rule", action="append", default=[], choices=tuple(RULES))
    parser.add_argument("--video", action="append", default=[], help="only this video")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--image-size", type=int)
    parser.add_argument("--precision", default="auto", choices=("auto", "fp32", "bf16"))
    return parser.parse_args()


if __name__ == "__main__":
    main()
