"""scripts/format_judges.py: the judges that the tests' environment has agree, and a wrong pixel is
counted."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np

SCRIPTS = Path(__file__).parents[3] / "scripts"


def test_judges_see_every_pixel():
    done = subprocess.run(
        [sys.executable, str(SCRIPTS / "format_judges.py"), "--only", "pycocotools"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    rows = done.stdout.splitlines()[2:]
    assert rows
    assert all(row.endswith("| 0 |") for row in rows), rows


def test_a_wrong_pixel_is_counted(tmp_path: Path, monkeypatch):
    monkeypatch.syspath_prepend(str(SCRIPTS))
    from format_judges import IDS, compare, make_masks

    masks = make_masks()
    frames, objects = (grid.ravel() for grid in np.mgrid[: len(masks), : len(IDS)])
    seen = masks.reshape(-1, *masks.shape[2:]).copy()
    ids = np.array(IDS)[objects]
    np.savez(tmp_path / "right.npz", frames=frames, objects=ids, masks=seen)
    assert compare(tmp_path / "right.npz", masks)["pixels"] == 0
    seen[7, 3, 5] ^= True
    np.savez(tmp_path / "wrong.npz", frames=frames, objects=ids, masks=seen)
    assert compare(tmp_path / "wrong.npz", masks)["pixels"] == 1
    np.savez(tmp_path / "set.npz", frames=frames, objects=np.full_like(ids, -1), masks=seen)
    assert compare(tmp_path / "set.npz", masks)["pixels"] > 0
