"""What other people's readers make of the files that are exported.

python scripts/format_judges.py [--python NAME=INTERPRETER ...] [--keep DIR] [--only NAME]

A result with what is hard (holes, overlap, one pixel, full and empty masks, absence, an odd size)
is exported; each judge of ``judges.py`` reads its format with its own library and its masks are
compared to the pixel. A judge whose library would disturb this environment runs in another
interpreter: ``--python datumaro=/tmp/venv/bin/python``. Prints the table of docs/formats.md. Ends
with 1 when a judge that could run saw another pixel.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from judges import JUDGES, Judge
from PIL import Image

from sam2s.formats.polygons import without_holes
from sam2s.formats.registry import FORMATS
from sam2s.formats.result import ExportOptions, ObjectMask, Result, ResultFrame

SIZE, FRAMES, IDS = (97, 131), 12, (1, 2, 7, 40, 254)
NAMES = {1: "grasper", 7: "needle driver"}


def make_masks(seed: int = 0) -> np.ndarray:
    """(T, N, H, W) bool: a ring that drifts, noise, one pixel, a mask that is full and then empty,
    and blobs with holes that leave and return."""
    rng = np.random.default_rng(seed)
    height, width = SIZE
    masks = np.zeros((FRAMES, len(IDS), *SIZE), bool)
    rows, columns = np.mgrid[:height, :width]
    for t in range(FRAMES):
        far = np.hypot(rows - 40, columns - 30 - 5 * t)
        masks[t, 0] = (far < 25) & (far > 12)
        masks[t, 1] = rng.random(SIZE) < 0.3
        masks[t, 2, rng.integers(height), rng.integers(width)] = True
        masks[t, 3] = t < 2
        blob = np.sin(rows / 7 + t) * np.sin(columns / 9) > 0.2
        masks[t, 4] = blob & (t % 4 != 3)
    return masks


def apart(masks: np.ndarray) -> np.ndarray:
    """The same without overlap: the later object on top."""
    free = masks.copy()
    for n in range(masks.shape[1]):
        free[:, :n] &= ~masks[:, n : n + 1]
    return free


def result_of(masks: np.ndarray) -> Result:
    """The masks as a result at 25 frames a second."""

    def frames() -> Iterator[ResultFrame]:
        for index, planes in enumerate(masks):
            found = {i: ObjectMask.of(plane) for i, plane in zip(IDS, planes, strict=True)}
            yield ResultFrame(index, index / 25, found)

    return Result("op", SIZE, 25.0, NAMES, frames)


def judge(one: Judge, interpreter: str, work: Path) -> dict[str, object]:
    """Export for a judge, let it read, compare."""
    chosen = FORMATS[one.format]
    masks = make_masks() if chosen.overlap else apart(make_masks())
    options = ExportOptions(polygons=one.polygons, compressed=one.compressed)
    folder = work / one.name
    folder.mkdir()
    chosen.write(result_of(masks), folder, options)
    for index in range(FRAMES):  # some readers want the pictures
        for place in (folder, folder / "op"):
            if place.is_dir() and one.pictures:
                Image.new("RGB", SIZE[::-1]).save(place / f"{index:05d}.jpg")
    script = str(Path(__file__).with_name("judges.py"))
    done = subprocess.run(
        [interpreter, "-W", "ignore", script, one.name, str(folder), str(work / f"{one.name}.npz")],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        why = done.stderr.strip().splitlines() or ["?"]
        return {"version": "", "said": why[-1][:90]}
    version = json.loads(done.stdout.splitlines()[-1])["version"]
    expected = np.array([[without_holes(m) for m in t] for t in masks]) if one.polygons else masks
    return {"version": version, **compare(work / f"{one.name}.npz", expected)}


def compare(path: Path, masks: np.ndarray) -> dict[str, object]:
    """How many masks the judge saw, and how many pixels are others. Masks of a judge that does not
    know objects are compared frame by frame, as a set."""
    seen = np.load(path)
    frames, objects, planes = seen["frames"], seen["objects"], seen["masks"]
    wrong, count = 0, 0
    for t, expected in enumerate(masks):
        here = frames == t
        shown = expected[expected.any(axis=(1, 2))]
        count += len(shown)
        if (objects < 0).any():
            order = [sorted(m.tobytes() for m in found) for found in (shown, planes[here])]
            wrong += 0 if order[0] == order[1] else SIZE[0] * SIZE[1]
            continue
        by_id = {int(i): plane for i, plane in zip(objects[here], planes[here], strict=True)}
        for object_id, mask in zip(IDS, expected, strict=True):
            plane = by_id.pop(object_id, np.zeros(SIZE, bool))
            wrong += int((plane != mask).sum())
        wrong += sum(int(plane.sum()) for plane in by_id.values())
    return {"masks": count, "pixels": wrong}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--python", action="append", default=[], metavar="NAME=INTERPRETER")
    parser.add_argument("--keep", type=Path, default=None, help="keep what was exported here")
    parser.add_argument("--only", default=None, help="only judges of this library")
    options = parser.parse_args()
    interpreters = dict(text.split("=", 1) for text in options.python)
    print("| judge | reads | masks | other pixels |\n|---|---|---|---|")
    wrong = 0
    with tempfile.TemporaryDirectory() as temporary:
        work = options.keep or Path(temporary)
        work.mkdir(parents=True, exist_ok=True)
        for one in JUDGES:
            if options.only not in (None, one.library):
                continue
            found = judge(one, interpreters.get(one.library, sys.executable), work)
            what = f"`{one.format}`{one.how}"
            if "pixels" not in found:
                print(f"| {one.library} | {what} | - | could not run: {found['said']} |")
                continue
            wrong += int(str(found["pixels"]))
            library = f"{one.library} {found['version']}"
            print(f"| {library} | {what} | {found['masks']} | {found['pixels']} |", flush=True)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
