"""A folder that tells a run: results.json, report.md in the shape of the paper's table 2, and
plots."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from sam2s.benchmark.diagnostics import diagnostics_table
from sam2s.benchmark.object_pictures import MasksOfRun, draw_extremes
from sam2s.benchmark.paper_rows import BY_PROMPT, PROMPT, ROWS, TITLES
from sam2s.benchmark.plots import (
    plot_classes,
    plot_comparison,
    plot_course,
    plot_reliability,
)
from sam2s.benchmark.report import (
    FLOOR_NAMES,
    label_of,
    line,
    markdown_table,
    number,
    results_table,
    runs_table,
    scores_table,
)
from sam2s.errors import InputError
from sam2s.extras import require_plots
from sam2s.files import check_folder, replace_text
from sam2s.masklets.masklets import MaskletFolder

Entry = Mapping[str, Any]
RESULTS, REPORT = "results.json", "report.md"
QUOTED = "quoted from the paper (arXiv 2511.16618, v1), not measured here"


EXTREMES = "The worst and the best objects: true outline white, mask tinted"


def prepare_report(folder: Path) -> Path:
    """Make the folder; where the result file belongs. InputError when it cannot be made, or
    matplotlib is missing."""
    require_plots()
    check_folder(folder)
    return folder / RESULTS


def write_report(
    folder: Path,
    entries: Sequence[Entry],
    data: MaskletFolder | None = None,
    runs: Sequence[MasksOfRun] = (),
) -> Path:
    """Write plots and the Markdown beside the result files; the Markdown's path. ``entries``: the
    JSON of one result, or of several under the same protocol, to be shown side by side; ``data``
    and ``runs``: what was scored and where each left its masks, for pictures of objects."""
    labelled = {label_of(entry): entry for entry in entries}
    if len(labelled) < len(entries):
        raise InputError("report: two of its results are of the same model, rule and prompt")
    plots = {"J&F over the time since the prompt": "course.png"}
    plot_course(labelled, folder / "course.png")
    if len(entries) == 1:
        plots["J&F by class"] = "classes.png"
        plot_classes(entries[0], folder / "classes.png")
    else:
        plots["J&F"] = "jf.png"
        means = {label: entry["mean"]["jf"] for label, entry in labelled.items()}
        plot_comparison(means | _floor_means(entries[0]), folder / "jf.png", "J&F")
    if plot_reliability(labelled, folder / "reliability.png"):
        plots["Reliability at boundaries"] = "reliability.png"
    if data is not None and draw_extremes(folder / "objects.png", data, entries, runs):
        plots[EXTREMES] = "objects.png"
    sections = _sections(entries[0], plots) if len(entries) == 1 else _side_by_side(entries, plots)
    replace_text(folder / REPORT, "\n".join(sections).rstrip("\n") + "\n")
    return folder / REPORT


def _floor_means(entry: Entry) -> dict[str, float]:
    return {
        FLOOR_NAMES.get(name, name): floor["mean"]["jf"]
        for name, floor in entry["floors"].items()
        if floor["mean"]
    }


def _side_by_side(entries: Sequence[Entry], plots: Mapping[str, str]) -> Iterator[str]:
    protocol = entries[0]["protocol"]
    yield f"# {protocol.get('suite') or protocol['data']}: {len(entries)} runs side by side\n"
    yield "J&F in percent.\n"
    yield sa_sv_table(entries) if "suite" in entries[0] else results_table(entries).markdown()
    if "suite" in entries[0]:
        yield "\n".join(_remarks(entries[0])) + "\n"
    yield "## By class\n"
    yield scores_table(entries, "class").markdown()
    yield "## Swaps, recovery, presence and calibration\n"
    yield runs_table(entries).markdown()
    yield "Definitions: docs/benchmark.md.\n"
    yield "## Plots\n"
    for title, file in plots.items():
        yield f"![{title}]({file})\n"
    yield "## Protocol and provenance\n"
    for entry in entries:
        yield f"### {label_of(entry)}\n"
        yield _provenance(entry)


def _sections(entry: Entry, plots: Mapping[str, str]) -> Iterator[str]:
    name = entry["protocol"].get("suite") or entry["protocol"]["data"]
    yield f"# {name}: {label_of(entry)}\n"
    if "suite" in entry:
        yield "J&F in percent.\n"
        yield sa_sv_table([entry])
        yield "\n".join(_remarks(entry)) + "\n"
        yield "## J, F and J&F\n"
        yield _jf_table(
            entry["suite"]["subsets"], entry["suite"]["mean"], entry["suite"]["long_term"]["mean"]
        )
    else:
        yield markdown_table([entry])
        yield "## J, F and J&F\n"
        yield _jf_table(entry["subsets"], entry["mean"], None)
        yield "## By procedure\n"
        yield _jf_table(entry["procedures"], None, None)
    yield "## By object\n"
    yield scores_table([entry], "object").markdown()
    yield "## Swaps, recovery, presence and calibration\n"
    yield diagnostics_table(entry["details"]).markdown()
    yield (
        "Definitions: docs/benchmark.md. The median frames to recover are of the recovered returns"
        " only.\n"
    )
    yield "## Plots\n"
    for title, file in plots.items():
        yield f"![{title}]({file})\n"
    yield "## Protocol and provenance\n"
    yield _provenance(entry)


def sa_sv_table(entries: Sequence[Entry]) -> str:
    """Results of the suite ``sa-sv`` above the paper's rows; the rows that compare are those of the
    same prompt."""
    lines = [
        line(["method", "input", "prompt", *TITLES, "mean", "frames/s"]),
        line([":--", "--:", ":--", *["--:"] * (len(TITLES) + 2)]),
    ]
    for entry in entries:
        suite = entry["suite"]
        cells = [number(_jf(suite["subsets"].get(title))) for title in TITLES]
        part = f" ({len(suite['subsets'])} of {len(TITLES)})" if suite["missing"] else ""
        head = [
            f"**{label_of(entry)}**",
            str(entry["model"].get("image_size", "-")),
            entry["protocol"]["prompt"],
        ]
        lines.append(
            line([*head, *cells, number(_jf(suite["mean"])) + part, number(entry["fps"], 1)])
        )
    for row in ROWS:
        scores = [f"{score:.2f}" for score in row.scores]
        lines.append(
            line(
                [f"{row.method} †", str(row.size), PROMPT, *scores, f"{row.mean:.2f}", str(row.fps)]
            )
        )
    prompts = {entry["protocol"]["prompt"] for entry in entries} - {PROMPT}
    for prompt in sorted(prompts):
        for method, means in BY_PROMPT.items():
            lines.append(
                line([f"{method} †", "", prompt, *["-"] * len(TITLES), f"{means[prompt]:.2f}", "-"])
            )
    return "\n".join(lines) + "\n"


def _remarks(entry: Entry) -> Iterator[str]:
    suite = entry["suite"]
    yield (
        f"† {QUOTED}; 3 clicks, frames/s on one A6000. Its masks and identities were corrected by"
        " hand.\n"
    )
    if suite["missing"]:
        yield (
            f"**Missing: {', '.join(suite['missing'])}.** The mean is over the"
            f" {len(suite['subsets'])} subsets that are there and does not compare with a mean over"
            " eight.\n"
        )
    lasting = suite["long_term"]
    if lasting["mean"] is not None:
        without = f"; missing: {', '.join(lasting['missing'])}" if lasting["missing"] else ""
        subsets = ", ".join(lasting["subsets"])
        yield f"Long-term subset ({subsets}{without}): J&F {number(_jf(lasting['mean']))}.\n"
    for note in entry["protocol"].get("notes", ()):
        yield f"Note: {note}.\n"


def _jf_table(groups: Mapping[str, Any], mean: Any, long_term: Any) -> str:
    rows = {
        **groups,
        **({"**mean**": mean} if mean else {}),
        **({"long-term subset": long_term} if long_term else {}),
    }
    lines = [line(["", "J", "F", "J&F", "masks scored"]), line([":--", "--:", "--:", "--:", "--:"])]
    for name, score in rows.items():
        found = score or {}
        values = [number(found.get(key)) for key in ("j", "f", "jf")]
        lines.append(line([name, *values, str(found.get("frames", 0))]))
    return "\n".join(lines) + "\n"


def _provenance(entry: Entry) -> str:
    model, known = entry["model"], entry["provenance"]
    machine = known["machine"]
    facts = {
        "prompt": f"{entry['protocol']['prompt']} on the {entry['protocol']['prompt_frame']}",
        "rules": ", ".join(f"{key} = {value}" for key, value in entry["protocol"]["rules"].items()),
        "model": (
            f"{model.get('name')}, weights' SHA-256 {model.get('sha256')}, input"
            f" {model.get('image_size')} px"
        ),
        "memory": _flat(model.get("memory")),
        "device": f"{model.get('device')}, {model.get('precision')}",
        "machine": (
            f"{machine['processor']}, {machine['cores']} cores, {machine['threads']} threads, "
            f"GPU {machine['gpu'] or 'none'}, {machine['system']}"
        ),
        "versions": (
            f"Python {known['python']}, "
            + ", ".join(f"{k} {v}" for k, v in known["packages"].items())
        ),
        "seed": (
            "none: no random number is drawn"
            if entry["protocol"]["seed"] is None
            else entry["protocol"]["seed"]
        ),
        "date": known["date"],
        "command": f"`{known['command']}`",
    }
    return "\n".join(f"- {key}: {value}" for key, value in facts.items()) + "\n"


def _flat(value: Any) -> str:
    return (
        ", ".join(f"{k} = {v}" for k, v in value.items())
        if isinstance(value, Mapping)
        else str(value)
    )


def _jf(score: Mapping[str, float] | None) -> float | None:
    return None if score is None else score["jf"]
