"""nano's table in one command: python scripts/nano_table.py OUT --real REAL [--model nano]
[--set NAME ...] [--validation]

J&F after three clicks beside both floors, in percent, on sets that nano was never trained on:
CVC-ClinicDB, sequences 5 and 6 of vocalfolds, the validation videos of DAVIS, ten held-out
synthetic videos. On synthetic videos with look-alikes also the share of frames whose mask covers
another object of the same class by a tenth; on cups.mp4 the share of frames whose mask, of one cup
clicked, covers a tenth of a second red thing. ``REAL`` holds ``cvc_clinicdb``, ``vocalfolds``,
``davis``, ``polypgen`` (``images`` and ``masks`` or ``labels`` in each) and ``videos/cups.mp4``.
``OUT`` gets the data, and for every model a result file and a contact sheet of the worst videos per
set and ``table_LABEL.json``; what is there is not run again.

``--validation`` scores the sets that weights are chosen on instead: six DAVIS training videos,
every tenth PolypGen still under a moving camera, and the synthetic validation scenes, with
look-alikes.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from contact_sheet import contact_sheet
from scipy import ndimage

from sam2s.benchmark.environment import environment
from sam2s.benchmark.report import read_result
from sam2s.benchmark.run_benchmark import MODEL, Options, open_model, run_benchmark
from sam2s.clips.stills.animate import Still, StillConfig, animate
from sam2s.convert.convert import ConvertSettings, convert
from sam2s.files import write_json
from sam2s.masklets.annotations import open_annotations
from sam2s.masklets.catalogue import VideoInfo
from sam2s.masklets.masklet_writer import MaskletWriter
from sam2s.masklets.masklets import MaskletVideo, open_masklets
from sam2s.media.frames import open_frames
from sam2s.synthetic import HELD_OUT, VideoSetSpec, synthesize
from sam2s.synthetic.procedures import PROCEDURES, TRAINING
from sam2s.synthetic.spec import twins_spec
from sam2s.synthetic.write import video_seed, write_videos

HELD_OUT_SEED = 770_001
TWINS_SEED = 770_003
VALIDATION_SEED = 9000
VALIDATION_TWINS_SEED = 9100
VALIDATION_VIDEOS = ("bus", "dance-jump", "flamingo", "hike", "motorbike", "surf")
"""Training videos of DAVIS that nano is not trained on: they choose its weights."""
STILL_FRAMES, STILLS = 8, 40
CAMERA = StillConfig(
    periods=(10.0, 60.0), zoom=(1.1, 2.4), zooming=1.0, pan=0.35, roll=40.0, absence=0.0
)
"""The camera over validation stills; as near and as jumpy as colonoscopy."""
COVERED = 0.1
"""Share of another object from which on a mask is said to cover it."""
CUP_CLICK = (640, 400)
RED_AREA = 0.002
"""Least share of the picture of a red thing that counts as a cup."""
WORST = 10
CERTAIN = {"identities": "certain"}
"""Labels of classes become objects only where it is known which one is meant."""


@dataclass(frozen=True)
class Folder:
    """Where things are. ``real``: the public data; ``out``: what this script makes."""

    real: Path
    out: Path

    def data(self, name: str) -> Path:
        """The folder of a made or converted set."""
        return self.out / "data" / name


def clinicdb(where: Folder) -> Sequence[Path]:
    """Colonoscopy, one video a sequence, of what is certain."""
    return _converted(where, "clinicdb", "cvc-clinicdb", "cvc_clinicdb", CERTAIN)


def vocalfolds(where: Folder) -> Sequence[Path]:
    """Laryngeal surgery; the two sequences that are never trained on have the split test."""
    options = {"exclude": "vocal folds", "split": "train", "held_out": "seq5,seq6"}
    return _converted(where, "vocalfolds", "vocalfolds", "vocalfolds", {**CERTAIN, **options})


def davis(where: Folder) -> Sequence[Path]:
    """All DAVIS videos; `chosen` picks."""
    return _converted(where, "davis", "davis", "davis", {})


def _converted(
    where: Folder, name: str, source: str, folder: str, options: Mapping[str, str]
) -> Sequence[Path]:
    """The set ``name``, converted from ``folder`` of the public data unless it is there."""
    if not (where.data(name) / "masklets.json").is_file():
        settings = ConvertSettings(options)
        convert(source, where.real / folder, where.data(name), progress=False, settings=settings)
    return [where.data(name)]


def synthetic(where: Folder) -> Sequence[Path]:
    """Ten videos, all procedures in turn."""
    root = where.data("synthetic")
    wanted = VideoSetSpec(videos=10, frames=150, size=256, seed=HELD_OUT_SEED, split="test")
    synthesize(root, wanted, progress=False)
    return [root]


def lookalikes(where: Folder) -> Sequence[Path]:
    """Videos in which two or more instruments are of one make, all procedures in turn."""
    return [_twins(where.data("lookalikes"), tuple(PROCEDURES), TWINS_SEED, videos=7, frames=75)]


def validation_scenes(where: Folder) -> Sequence[Path]:
    """The recipe's validation scenes, a folder for each procedure."""
    roots = []
    for number, procedure in enumerate((*TRAINING[:2], HELD_OUT)):
        roots.append(where.data(f"validation-{procedure}"))
        seed = VALIDATION_SEED + number
        wanted = VideoSetSpec(3, 48, size=256, seed=seed, procedure=procedure, split="val")
        synthesize(roots[-1], wanted, progress=False)
    return roots


def validation_lookalikes(where: Folder) -> Sequence[Path]:
    """As `lookalikes`, with other seeds and without the procedure that is never trained on."""
    root = where.data("validation-lookalikes")
    return [_twins(root, TRAINING, VALIDATION_TWINS_SEED, videos=6, frames=48)]


def _twins(root: Path, procedures: Sequence[str], seed: int, *, videos: int, frames: int) -> Path:
    specs = [
        twins_spec(video_seed(seed, k), procedures[k % len(procedures)], frames)
        for k in range(videos)
    ]
    write_videos(root, specs, split="test", progress=False)
    return root


def validation_stills(where: Folder) -> Sequence[Path]:
    """PolypGen's validation stills, each as a short video under a camera that comes close."""
    options = {"class": "polyp", "kind": "tissue", "objects": "pieces", "val_every": "10"}
    (source,) = _converted(where, "polypgen", "plain", "polypgen", options)
    stills = [v for v in open_masklets(source).videos.values() if v.info.split == "val"]
    root = where.data("validation-stills")
    with MaskletWriter(root) as writer:
        for number in np.linspace(0, len(stills) - 1, STILLS).round().astype(int).tolist():
            if stills[number].name not in writer.finished:
                _write_still(
                    writer, stills[number], np.random.default_rng([VALIDATION_SEED, number])
                )
    return [root]


def _write_still(writer: MaskletWriter, video: MaskletVideo, rng: np.random.Generator) -> None:
    masks = {i: mask for i in video.info.objects if (mask := video.mask(i, 0)) is not None}
    infos = tuple(video.info.objects[i] for i in masks)
    still = Still(video.name, video.image(0), np.stack(list(masks.values())), infos)
    times = tuple(range(0, 8 * STILL_FRAMES, 8))
    made = animate(still, [], times, 256, CAMERA, rng)
    kept = [k for k in range(len(infos)) if made.masks[0, k].any()]
    if not kept:
        return
    objects = {k + 1: infos[k] for k in kept}
    writer.add_video(video.name, VideoInfo("PolypGen stills", "colonoscopy", "val", None, objects))
    for t, image in enumerate(made.images):
        writer.write(video.name, f"{t:05d}", image, {k + 1: made.masks[t, k] for k in kept})


@dataclass(frozen=True)
class Set:
    """A row's data. ``chosen``: which of its videos count, by name and split."""

    make: Callable[[Folder], Sequence[Path]]
    chosen: Callable[[str, str | None], bool] = lambda name, split: True
    lookalikes: bool = False


def _held_out(name: str, split: str | None) -> bool:
    return name.removeprefix("davis_") in VALIDATION_VIDEOS


TEST: Mapping[str, Set] = {
    "clinicdb": Set(clinicdb),
    "vocalfolds": Set(vocalfolds, lambda name, split: split == "test"),
    "davis": Set(davis, lambda name, split: split == "val"),
    "lookalikes": Set(lookalikes, lookalikes=True),
    "synthetic": Set(synthetic, lookalikes=True),
}
VALIDATION: Mapping[str, Set] = {
    "everyday": Set(davis, _held_out),
    "stills": Set(validation_stills),
    "scenes": Set(validation_scenes),
    "twins": Set(validation_lookalikes, lookalikes=True),
}


def main() -> None:
    given = _arguments()
    where = Folder(given.real, given.out)
    sets = VALIDATION if given.validation else TEST
    rows: dict[str, Any] = {}
    for name in given.set or [*sets, *(() if given.validation else ("cups",))]:
        rows[name] = cups(where, given) if name == "cups" else score(name, sets[name], where, given)
        print(f"{name}: {rows[name]}", flush=True)
    if given.validation:
        means = [row["mean"][MODEL] for row in rows.values()]
        print(f"mean of the validation sets: {sum(means) / len(means):.2f}")
    label = _label(given)
    write_json(where.out / f"table_{label}.json", {"rows": rows, "provenance": environment()})
    print(table(rows))


def score(name: str, what: Set, where: Folder, given: argparse.Namespace) -> dict[str, Any]:
    """One set: J&F of model and floors by kind of object and procedure, presence, look-alikes."""
    entries, covering = [], np.zeros(2, int)
    for root in what.make(where):
        videos = open_masklets(root).videos
        names = tuple(n for n, v in videos.items() if what.chosen(n, v.info.split))
        masks = where.out / _label(given) / f"{name}_{root.name}"
        file = masks.with_suffix(".json")
        masks.mkdir(parents=True, exist_ok=True)
        floors = not given.no_floors
        options = Options(floors=floors, videos=names, json=file, masks=masks, progress=False)
        if not file.is_file():
            run_benchmark(root, open_model(given.model), options)
        entries.append(read_result(file))
        if what.lookalikes:
            covering += covered([videos[n] for n in names], masks)
        worst = worst_videos(entries[-1])
        contact_sheet(root, masks, masks.with_suffix(".png"), worst)
    row = summary(entries)
    if what.lookalikes:
        row["covers a look-alike, % of frames"] = {MODEL: _percent(*covering)}
    return row


def summary(entries: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """J&F in percent by method: mean over objects, and over those of a kind or a procedure (of the
    model alone); the prompted frames; presence."""
    found: dict[str, Any] = {"mean": {}}
    methods = {
        MODEL: entries,
        **{n: [e["floors"][n] for e in entries] for n in entries[0]["floors"]},
    }
    for method, results in methods.items():
        objects = [o for e in results for o in e["objects"].values() if o["jf"] is not None]
        found["mean"][method] = _mean(objects)
        for kind in sorted({o["kind"] for o in objects}):
            group = [o for o in objects if o["kind"] == kind]
            found.setdefault(f"{kind} ({len(group)})", {})[method] = _mean(group)
        if HELD_OUT in results[0]["procedures"]:
            found.setdefault(HELD_OUT, {})[method] = round(
                results[0]["procedures"][HELD_OUT]["jf"], 2
            )
    found["prompted frames"] = {MODEL: _mean([e["prompted_frames"] for e in entries])}
    for key in ("on_other", "false_presence", "missed"):
        rates = [e["details"]["all"][key] for e in entries if e["details"]["all"][key] is not None]
        if rates:
            found[f"{key}, %"] = {MODEL: round(float(np.mean(rates)), 2)}
    return found


def _mean(scores: Sequence[Mapping[str, Any]]) -> float:
    return round(float(np.mean([score["jf"] for score in scores])), 2)


def worst_videos(entry: Mapping[str, Any]) -> list[str]:
    """Names of the videos with the worst objects, the worst first."""
    scored = {name: o["jf"] for name, o in entry["objects"].items() if o["jf"] is not None}
    names = [name.rpartition("/")[0] for name in sorted(scored, key=lambda name: scored[name])]
    return list(dict.fromkeys(names))[:WORST]


def covered(videos: Sequence[MaskletVideo], masks: Path) -> np.ndarray:
    """(2,): frames whose mask covers another object of its own class by a tenth, and frames of
    objects that have such a look-alike in view; frames after the first on which it was tracked."""
    counts = np.zeros(2, int)
    for video in videos:
        kept = open_annotations(masks / "Annotations" / video.name)
        for object_id in kept.ids():
            own = video.info.objects[object_id]
            twins = [i for i, info in video.info.objects.items() if i != object_id and info == own]
            for name in kept.frames(object_id)[1:] if twins else ():
                frame = video.frame_names.index(name)
                others = [m for i in twins if (m := video.mask(i, frame)) is not None and m.any()]
                mask = kept.read(object_id, name)
                if others and mask is not None:
                    counts += np.array([_covers(mask, others), 1])
    return counts


def _covers(mask: np.ndarray, others: Sequence[np.ndarray]) -> bool:
    return any((mask & other).sum() >= COVERED * other.sum() for other in others)


def cups(where: Folder, given: argparse.Namespace) -> dict[str, Any]:
    """One click on one of three red cups: on which share of frames another one is covered too. Red
    things are told by colour; two cups that touch are one red thing."""
    video, out = where.real / "videos" / "cups.mp4", where.out / _label(given) / "cups"
    if not out.is_dir():
        command = ["track", str(video), "--click", f"1:{CUP_CLICK[0]},{CUP_CLICK[1]}"]
        command += ["--model", given.model, "--out", str(out)]
        subprocess.run(
            [sys.executable, "-m", "sam2s.cli", *command], check=True, stdout=subprocess.DEVNULL
        )
    kept = open_annotations(out / "Annotations" / video.stem)
    names = dict(enumerate(kept.frames(1)))
    several, shown = 0, 0
    with open_frames(video) as frames:
        for frame in frames:
            mask = kept.read(1, names[frame.index]) if frame.index in names else None
            if mask is not None and mask.any():
                shown += 1
                several += _red_things(frame.image, mask) > 1
    return {
        "frames with a mask": {MODEL: float(shown)},
        "covers a second cup, % of them": {MODEL: _percent(several, shown)},
    }


def _percent(part: int, whole: int) -> float:
    return round(100 * int(part) / max(1, int(whole)), 2)


def _red_things(image: np.ndarray, mask: np.ndarray) -> int:
    """How many red things of ``image`` (H, W, 3) ``mask`` (H, W) covers by a tenth."""
    red, green, blue = np.moveaxis(image.astype(int), -1, 0)
    labels, count = ndimage.label((red > 120) & (green < 70) & (blue < 90))
    areas = np.bincount(labels.ravel(), minlength=count + 1)
    hit = np.bincount(labels[mask], minlength=count + 1)
    large = areas >= RED_AREA * mask.size
    large[0] = False
    return int((large & (hit >= COVERED * areas)).sum())


def table(rows: Mapping[str, Mapping[str, Mapping[str, float]]]) -> str:
    """The rows as Markdown."""
    lines = ["| set | nano | still | flow |", "|---|---:|---:|---:|"]
    for name, row in rows.items():
        for key, by_method in row.items():
            label = name if key == "mean" else f"{name}, {key}"
            cells = [
                f"{by_method[method]:.1f}" if method in by_method else ""
                for method in (MODEL, "still", "flow")
            ]
            lines.append(f"| {label} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def _label(given: argparse.Namespace) -> str:
    return given.label or Path(given.model).name


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("out", type=Path)
    parser.add_argument("--real", type=Path, required=True)
    parser.add_argument("--model", default="nano")
    parser.add_argument("--label", help="names the model's results (default: the model's own name)")
    parser.add_argument("--set", action="append", default=[])
    parser.add_argument("--validation", action="store_true")
    parser.add_argument("--no-floors", action="store_true")
    return parser.parse_args()


if __name__ == "__main__":
    main()
