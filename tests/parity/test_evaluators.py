"""Whole folders against the public evaluators of DAVIS 2017 and SA-V, whose numbers
``evaluators.json`` holds.

They were made by running this file beside davisvideochallenge/davis2017-evaluation (commit ac7c43f)
and facebookresearch/sam2 (``sav_dataset``, commit 2b90b9f), with OpenCV and scikit-image installed:

    python tests/parity/test_evaluators.py DAVIS_CHECKOUT SAM2_CHECKOUT/sav_dataset >
    tests/parity/evaluators.json

The folders hold what evaluators disagree on: objects that come late, leave, or are seen on one
frame only, sparse labels, false masks before an object's first appearance. Masks come from NumPy's
legacy generator, as in ``test_davis``.
"""

import json
import sys
from pathlib import Path

import numpy as np
import pytest

from sam2s.benchmark.evaluate import Evaluation, evaluate_folders
from sam2s.benchmark.scoring_rules import DAVIS, EVERY_FRAME, SA_V, ScoringRules
from sam2s.masklets.masks import write_binary_mask, write_index_mask

NUMBERS = Path(__file__).with_name("evaluators.json")
SIZE = (48, 64)
FRAMES = 9
SA_V_EVERY = ScoringRules(skip_first="none", unseen="skip", mean="all")
RUNS = {
    "sa-v": ("sav", SA_V),
    "sa-v, every frame": ("sav", SA_V_EVERY),
    "sa-v, palettes": ("davis", SA_V),
    "davis": ("davis", DAVIS),
}


def blob(seed: int) -> np.ndarray:
    random = np.random.RandomState(seed)
    rows, cols = np.mgrid[: SIZE[0], : SIZE[1]]
    (y, x), (a, b) = random.uniform(0.25, 0.75, 2) * SIZE, random.uniform(0.12, 0.3, 2) * SIZE
    return ((rows - y) / a) ** 2 + ((cols - x) / b) ** 2 < 1


def track(seed: int, shown: str) -> tuple[list[np.ndarray | None], list[np.ndarray]]:
    """True and predicted masks. ``shown``, a letter a frame: o in view, - absent, ? not annotated,
    F absent but predicted, m in view but not predicted."""
    true: list[np.ndarray | None] = []
    guess = []
    for t, state in enumerate(shown):
        mask = np.roll(blob(seed), (t, -2 * t), axis=(0, 1))
        true.append(None if state == "?" else mask if state in "om" else np.zeros(SIZE, bool))
        guess.append(
            np.roll(mask, (t % 3, t % 4), axis=(0, 1)) if state in "oF" else np.zeros(SIZE, bool)
        )
    return true, guess


SAV = {
    "one": {0: "ooooooooo", 1: "---ooo-oo", 2: "--F-oooo?", 4: "o-?mo?Foo"},
    "two": {0: "oooo?????", 7: "-----oooo"},
}
"""SA-V's evaluator stops at an object that no scored frame of its folder shows; in palettes it
leaves it out."""
PALETTES = {
    "first": {1: "ooooooooo", 2: "oo---oFoo", 3: "---mmmmmm"},
    "second": {1: "o--o--mmo", 2: "ooooo----", 3: "o--------"},
}
"""DAVIS's evaluator stops at a predicted id above those of the first frame, so the late object has
no mask."""


def write_sav(root: Path) -> None:
    for video, objects in SAV.items():
        for object_id, shown in objects.items():
            for t, (true, guess) in enumerate(
                zip(*track(10 * object_id + len(video), shown), strict=True)
            ):
                if true is not None:
                    for part, mask in (("gt", true), ("pred", guess)):
                        folder = root / part / video / f"{object_id:03d}"
                        folder.mkdir(parents=True, exist_ok=True)
                        write_binary_mask(folder / f"{t:05d}.png", mask)


def write_palettes(root: Path) -> None:
    for video, objects in PALETTES.items():
        tracks = {i: track(100 + 10 * i + len(video), shown) for i, shown in objects.items()}
        for part, which in (("gt", 0), ("pred", 1)):
            folder = root / part / "Annotations" / "480p" / video
            folder.mkdir(parents=True)
            for t in range(FRAMES):
                plane = np.zeros(SIZE, np.uint8)
                for i, pair in tracks.items():
                    mask = pair[which][t]
                    assert mask is not None
                    plane[mask] = i
                write_index_mask(folder / f"{t:05d}.png", plane)


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("evaluators")
    write_sav(root / "sav")
    write_palettes(root / "davis")
    return root


def evaluate(folders: Path, name: str, rules: ScoringRules | None = None) -> Evaluation:
    layout, given = RUNS[name]
    return evaluate_folders(
        folders / layout / "pred", folders / layout / "gt", rules=rules or given, progress=False
    )


@pytest.mark.parametrize("name", RUNS)
def test_equal_to_the_public_evaluator(folders: Path, name: str) -> None:
    numbers = json.loads(NUMBERS.read_text())[name]
    board = evaluate(folders, name).board
    ours = {
        f"{o.video}/{o.object_id}": [o.score.j, o.score.f]
        for o in board.objects
        if o.score is not None
    }
    assert set(ours) == set(numbers["objects"])
    for key, expected in numbers["objects"].items():
        assert ours[key] == pytest.approx(expected, abs=1e-9), key
    assert board.mean is not None
    assert [board.mean.j, board.mean.f] == pytest.approx(numbers["mean"], abs=1e-9)


@pytest.mark.parametrize("name", RUNS)
def test_every_rule_matters_on_these_folders(folders: Path, name: str) -> None:
    """With any one of an evaluator's rules set back, some object scores otherwise: the comparison
    would notice."""
    rules = RUNS[name][1]
    own = {(o.video, o.object_id): o.score for o in evaluate(folders, name).board.objects}
    for field in ("skip_first", "skip_last", "unseen", "late"):
        if getattr(rules, field) != getattr(EVERY_FRAME, field):
            changed = {f: getattr(rules, f) for f in ScoringRules.__slots__} | {
                field: getattr(EVERY_FRAME, field)
            }
            other = {
                (o.video, o.object_id): o.score
                for o in evaluate(folders, name, ScoringRules(**changed)).board.objects
            }
            assert other != own, field


def davis_numbers(root: Path) -> dict:
    """Run DAVIS 2017's evaluator on the palette folder."""
    from davis2017.evaluation import DAVISEvaluation
    from PIL import Image

    for video in PALETTES:
        folder = root / "gt" / "JPEGImages" / "480p" / video
        folder.mkdir(parents=True)
        for t in range(FRAMES):
            Image.fromarray(np.zeros((*SIZE, 3), np.uint8)).save(folder / f"{t:05d}.jpg")
    (root / "gt" / "ImageSets" / "2017").mkdir(parents=True)
    (root / "gt" / "ImageSets" / "2017" / "val.txt").write_text("\n".join(PALETTES) + "\n")
    found = DAVISEvaluation(
        davis_root=str(root / "gt"), task="semi-supervised", gt_set="val"
    ).evaluate(str(root / "pred" / "Annotations" / "480p"))
    keys = found["J"]["M_per_object"]
    objects = {
        "/".join(k.rsplit("_", 1)): [float(found[m]["M_per_object"][k]) for m in "JF"] for k in keys
    }
    return {"objects": objects, "mean": [float(np.mean(found[m]["M"])) for m in "JF"]}


def sav_numbers(gt: Path, pred: Path, skip: bool) -> dict:
    """Run SA-V's evaluator."""
    from utils.sav_benchmark import benchmark

    _, j, f, (videos,) = benchmark(
        [str(gt)], [str(pred)], num_processes=1, verbose=False, skip_first_and_last=skip
    )
    objects = {
        f"{video}/{int(i)}": [float(js[i]) / 100, float(fs[i]) / 100]
        for video, (js, fs) in videos.items()
        for i in js
    }
    return {"objects": objects, "mean": [float(j[0]) / 100, float(f[0]) / 100]}


if __name__ == "__main__":
    import contextlib
    import tempfile

    sys.path[:0] = sys.argv[1:]
    with tempfile.TemporaryDirectory() as name, contextlib.redirect_stdout(sys.stderr):
        root = Path(name)
        write_sav(root / "sav")
        write_palettes(root / "davis")
        deep = Path("Annotations") / "480p"
        gt, pred = root / "davis" / "gt" / deep, root / "davis" / "pred" / deep
        numbers = {
            "sa-v": sav_numbers(root / "sav" / "gt", root / "sav" / "pred", True),
            "sa-v, every frame": sav_numbers(root / "sav" / "gt", root / "sav" / "pred", False),
            "sa-v, palettes": sav_numbers(gt, pred, True),
            "davis": davis_numbers(root / "davis"),
        }
    print(json.dumps(numbers, indent=1))
