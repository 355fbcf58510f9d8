"""The rules by which scripts/real_masklets.py makes masklets of labelled frames."""

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from PIL import Image

from sam2s.masklets.masklets import open_masklets

SCRIPT = Path(__file__).parents[3] / "scripts" / "real_masklets.py"
SIZE = (60, 80)


@pytest.fixture(scope="module")
def script() -> ModuleType:
    spec = importlib.util.spec_from_file_location("real_masklets", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["real_masklets"] = module
    spec.loader.exec_module(module)
    return module


def plane(*boxes: tuple[int, int, int, int], value: int = 5) -> np.ndarray:
    """(top, left, height, width) boxes of one grey value."""
    labels = np.zeros(SIZE, np.uint8)
    for top, left, height, width in boxes:
        labels[top : top + height, left : left + width] = value
    return labels


def states(track: list) -> str:
    """One letter a frame: o in view, - absent, ? not annotated."""
    return "".join("?" if m is None else "o" if m.any() else "-" for m in track)


def test_one_thing_is_absent_ambiguous_or_there(script: ModuleType) -> None:
    body, speck, rival = (10, 10, 20, 20), (50, 70, 2, 2), (40, 50, 10, 10)
    planes = [
        plane(body),
        plane(body, speck),
        plane(body, rival),
        plane(speck),
        plane(),
        plane(body),
        plane(body),
    ]
    label = script.Label(5, None, "instrument", True)
    (track,) = script.masklets(planes, label)
    assert states(track) == "oo??-oo"
    assert track[1].sum() == 400
    assert script.masklets(planes[:3], label) == []


def test_chains_follow_overlap_and_leave_out_what_they_cannot_know(script: ModuleType) -> None:
    planes = [plane((10, 4 * i, 12, 12), (40, 60, 10, 10 + i)) for i in range(5)]
    planes += [plane((30, 0, 12, 12)), plane(), plane((40, 60, 10, 12))]
    moving, resting = script.masklets(planes, script.Label(5, None, "instrument", False))
    assert (states(moving), states(resting)) == ("ooooo?-?", "ooooo?-?")
    assert [int(np.flatnonzero(m.any(axis=0))[0]) for m in moving[:5]] == [0, 4, 8, 12, 16]


def test_a_lonely_polyp_is_one_however_far_it_jumps(script: ModuleType) -> None:
    jumps = [plane((10, 15 * i, 10, 10), value=255) for i in range(5)]
    (track,) = script.masklets(jumps, script.POLYP[0])
    assert states(track) == "ooooo"
    crowd = [*jumps, plane((10, 0, 10, 10), (40, 40, 10, 10), value=255)]
    assert script.masklets(crowd, script.POLYP[0]) == []


def test_folders_become_masklets(
    script: ModuleType,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    for source, part, value in (("vocalfolds", "labels", 3), ("cvc_clinicdb", "masks", 255)):
        for folder in ("images", part):
            (tmp_path / "real" / source / folder / "seq1").mkdir(parents=True)
        for i in range(5):
            labels = plane((10, 10 + i, 20, 20), value=value)
            Image.fromarray(labels).save(
                tmp_path / "real" / source / part / "seq1" / f"{i:03d}.png"
            )
            picture = Image.fromarray(np.dstack([labels] * 3))
            picture.save(tmp_path / "real" / source / "images" / "seq1" / f"{i:03d}.jpg")
    monkeypatch.setattr(
        sys, "argv", ["real_masklets.py", str(tmp_path / "real"), str(tmp_path / "out")]
    )
    script.main()
    script.main()  # finished videos are kept
    videos = open_masklets(tmp_path / "out").videos
    assert list(videos) == ["vocalfolds_seq1", "cvc_clinicdb_seq1"]
    glottis = videos["vocalfolds_seq1"]
    assert glottis.info.objects[1].class_name == "glottis"
    assert glottis.info.procedure == "laryngoscopy"
    assert glottis.mask(1, 4).sum() == 400
    assert "1 masklets ['polyp']" in capsys.readouterr().out
