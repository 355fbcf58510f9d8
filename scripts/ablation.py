"""The paper's ablation at nano's scale: python scripts/ablation.py OUT DATA [DATA ...] [--model
nano] [--seeds 1 2 3]

Trains every variant of ``recipes/ablation.py`` with every seed for the same number of steps, scores
each on every masklet folder ``DATA``, and writes ``OUT/ablation.json`` and ``OUT/ablation.md``, a
table per folder: J&F as mean and spread over seeds, its difference to the first variant seed by
seed, identity swaps, ECE. A folder that is not there yet is made: a video of each procedure, with
look-alikes and long absences. What is finished is kept, so the command can be given again, and in
several processes at once with different ``--seeds`` or ``--variants``.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Mapping
from dataclasses import asdict, replace
from pathlib import Path
from statistics import fmean, stdev
from typing import Any

from sam2s.benchmark.diagnostics import ALL
from sam2s.benchmark.report import line, read_result
from sam2s.benchmark.run_benchmark import Options, open_model, run_benchmark
from sam2s.files import replace_text, write_json
from sam2s.masklets.masklets import open_masklets
from sam2s.recipes.ablation import ON_STILLS, VARIANTS, Variant, ablation, find_variant
from sam2s.synthetic import PROCEDURES, long_term_spec, write_videos
from sam2s.synthetic.write import video_seed
from sam2s.train.checkpoint import CHECKPOINT
from sam2s.train.run import run_training
from sam2s.train.video_pool import VideoPool, open_pool, training_folders

SCENES_SEED = 770_004
SCENES_FRAMES = 150
TRAINED_ON = "train"
"""Videos of this split are left out of the scores, since every variant is trained on them."""


def main() -> None:
    given = _arguments()
    given.out.mkdir(parents=True, exist_ok=True)
    for data in given.data:
        if not data.exists():
            make_scenes(data)
    pool: VideoPool | None = None
    for seed in given.seeds:
        for name in given.variants:
            pool = train(find_variant(name), seed, given, pool)
            for data in given.data:
                score(find_variant(name), seed, data, given)
    results = {data.name: collect(given.out, data.name) for data in given.data}
    text = "\n".join(f"## {name}\n\n{table(found)}" for name, found in results.items())
    write_json(given.out / "ablation.json", results)
    replace_text(given.out / "ablation.md", text)
    print(text)


def make_scenes(root: Path) -> None:
    """Shorter relatives of the long-term suite's videos, of which no other set has the seeds."""
    specs = [
        long_term_spec(video_seed(SCENES_SEED, k), procedure)
        for k, procedure in enumerate(PROCEDURES)
    ]
    longest = SCENES_FRAMES // 2
    write_videos(
        root, [replace(s, frames=SCENES_FRAMES, absence=(5, longest)) for s in specs], split="test"
    )


def train(
    variant: Variant, seed: int, given: argparse.Namespace, pool: VideoPool | None
) -> VideoPool | None:
    """One run, unless it is there; the videos it read, for the next one."""
    folder = given.out / f"{variant.name}-seed{seed}"
    if (folder / "model").is_dir():
        return pool
    config = ablation(
        variant,
        seed,
        model=given.model,
        steps=given.steps,
        clips=given.clips,
        rest_encoder=given.rest_encoder,
    )
    scenes = given.scenes or given.out / "scenes"
    pool = pool or open_pool(training_folders(config, scenes))
    run_training(config, folder, resume=(folder / CHECKPOINT).is_file(), data_dir=scenes, pool=pool)
    return pool


def score(variant: Variant, seed: int, data: Path, given: argparse.Namespace) -> None:
    """One cell of the table of ``data``, unless it is there."""
    folder = given.out / f"{variant.name}-seed{seed}"
    file = folder / f"scores-{data.name}.json"
    if not file.is_file():
        unseen = tuple(
            n for n, video in open_masklets(data).videos.items() if video.info.split != TRAINED_ON
        )
        evaluated = open_model(folder / "model", memory=variant.memory)
        run_benchmark(data, evaluated, Options(prompt=given.prompt, videos=unseen, json=file))


def collect(out: Path, data: str) -> dict[str, Any]:
    """What every finished run scored on the folder called ``data``: {variant: {seed: result}}."""
    found: dict[str, Any] = {}
    for variant in (*VARIANTS, *ON_STILLS):
        files = sorted(out.glob(f"{variant.name}-seed*/scores-{data}.json"))
        seeds = {file.parent.name.rsplit("seed", 1)[1]: read_result(file) for file in files}
        if seeds or variant in VARIANTS:
            found[variant.name] = {"ideas": asdict(variant), "seeds": seeds}
    return found


def table(results: Mapping[str, Any]) -> str:
    """Markdown: a row a variant, mean and spread (sample standard deviation over seeds)."""
    first = next(iter(results.values()))["seeds"]
    head = ["variant", "seeds", "J&F", "J&F against the first", "identity swaps", "ECE"]
    lines = [line(head), line([":--", *["--:"] * (len(head) - 1)])]
    for name, found in results.items():
        runs = found["seeds"]
        jf, swaps, ece = zip(*map(figures, runs.values()), strict=True) if runs else ((), (), ())
        gained = [
            figures(run)[0] - figures(first[seed])[0] for seed, run in runs.items() if seed in first
        ]
        cells = (
            _spread(jf),
            _spread(gained) if runs is not first else "-",
            _spread(swaps),
            _spread(ece),
        )
        lines.append(line([name, str(len(runs)), *cells]))
    return "\n".join(lines) + "\n"


def figures(run: Mapping[str, Any]) -> tuple[Any, ...]:
    """J&F in percent, the number of identity swaps, and ECE in percent (None where nothing gave
    one) of one result."""
    everything = run["details"][ALL]
    return run["mean"]["jf"], everything["swaps"], everything["ece"]


def _spread(values: Iterable[float | None]) -> str:
    known = [value for value in values if value is not None]
    if not known:
        return "-"
    return f"{fmean(known):.2f} ± {stdev(known):.2f}" if len(known) > 1 else f"{known[0]:.2f}"


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("out", type=Path)
    parser.add_argument("data", type=Path, nargs="+", help="masklet folder to score on")
    parser.add_argument("--model", default="nano", help="starting weights of every run")
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--variants", nargs="+", default=[variant.name for variant in VARIANTS])
    parser.add_argument("--steps", type=int, default=300)
    parser.add_argument("--clips", type=int, default=2)
    parser.add_argument(
        "--rest-encoder", action="store_true", help="leave the image encoder as it is"
    )
    parser.add_argument("--prompt", default="3-click")
    parser.add_argument("--scenes", type=Path, default=None, help="where training scenes are kept")
    return parser.parse_args()


if __name__ == "__main__":
    main()
