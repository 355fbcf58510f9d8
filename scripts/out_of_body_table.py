"""How well colours tell the inside of a body from everything else, picture by picture.

    python scripts/out_of_body_table.py REAL [--scenes 60]

REAL holds pictures below folders; those under vocalfolds, cvc_clinicdb and polypgen are inside,
those under davis, pumavos and bedroom outside; synthetic scenes (inside) are made. Prints a table
of the pictures that `sam2s live --blank-out-of-body` would blank, each judged by itself.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from sam2s.live.out_of_body import TISSUE, tissue_share
from sam2s.media.pictures import read_rgb
from sam2s.synthetic.scene import SurgicalScene
from sam2s.synthetic.spec import random_spec

INSIDE = ("vocalfolds", "cvc_clinicdb", "polypgen")
OUTSIDE = ("davis", "pumavos", "bedroom")
SEED = 70_000
SUFFIXES = {".jpg", ".png", ".tif"}


def main() -> int:
    """Look at every picture, and print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("real", type=Path)
    parser.add_argument("--scenes", type=int, default=60)
    options = parser.parse_args()
    print("| pictures | | of | blanked | share of tissue colours, 5 % / median / 95 % |")
    print("|---|---|---:|---:|---:|")
    for name in INSIDE + OUTSIDE:
        shares = [tissue_share(read_rgb(path)) for path in pictures(options.real / name)]
        row(name, name in INSIDE, shares)
    row("synthetic scenes", True, list(synthetic(options.scenes)))
    return 0


def pictures(folder: Path) -> list[Path]:
    """Every picture in a folder named images."""
    return sorted(p for p in folder.glob("images/**/*") if p.suffix.lower() in SUFFIXES)


def synthetic(scenes: int) -> Iterator[float]:
    """Three frames of each scene."""
    for number in range(scenes):
        scene = SurgicalScene(random_spec(SEED + number, None, 60))
        for index in (5, 25, 45):
            yield tissue_share(scene.frame(index)[0])


def row(name: str, inside: bool, shares: list[float]) -> None:
    """One line of the table."""
    if not shares:
        return
    blanked = np.mean(np.array(shares) < TISSUE)
    spread = " / ".join(f"{v:.2f}" for v in np.percentile(shares, (5, 50, 95)))
    kind = "inside" if inside else "outside"
    print(f"| {name} | {kind} | {len(shares)} | {100 * blanked:.1f} % | {spread} |", flush=True)


if __name__ == "__main__":
    sys.exit(main())
