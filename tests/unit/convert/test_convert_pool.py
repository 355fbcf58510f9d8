"""Conversion in several processes: the same bytes, the same report, the same errors."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from source_trees import box, codes, grey, picture, thrice, write

from sam2s.convert.convert import ConvertReport, ConvertSettings, convert
from sam2s.errors import InputError
from sam2s.masklets.catalogue import read_catalogue
from sam2s.masklets.masklets import open_masklets


def tree(root: Path, damaged: tuple[int, ...] = ()) -> Path:
    """Three sequences of ClinicDB; on ``damaged`` pictures the mask has another size."""
    for number in (1, 2, 30, 60):
        picture(root / f"images/{number}.jpg", seed=number)
        size = (20, 20) if number in damaged else (32, 40)
        write(root / f"masks/{number}.png", grey(box(3, 3, 12, 14, size)))
    return root


def content(root: Path) -> dict[str, bytes]:
    return {
        str(p.relative_to(root)): p.read_bytes() for p in sorted(root.rglob("*")) if p.is_file()
    }


def run(name: str, root: Path, out: Path, workers: int, **options: bool) -> ConvertReport:
    settings = ConvertSettings(workers=workers, **options)
    return convert(name, root, out, "copy", False, settings)


def test_files_and_report_do_not_depend_on_workers(tmp_path: Path) -> None:
    for video in range(3):
        for frame in (0, 1):
            stem = (
                tmp_path
                / f"in/video{video + 1:02d}/video{video + 1:02d}_00080/frame_{80 + frame}_endo"
            )
            picture(stem.with_name(f"{stem.name}.png"), seed=video)
            # 99 is no code of the source: every frame that shows it adds to a note.
            pixels = codes(fill=50, grasper=(31, box(4, 4, 8, 20)), what=(99, box(20, 4, 6, 10)))
            write(stem.with_name(f"{stem.name}_watershed_mask.png"), thrice(pixels))
    one = run("cholecseg8k", tmp_path / "in", tmp_path / "one", 1)
    two = run("cholecseg8k", tmp_path / "in", tmp_path / "two", 2)
    assert one.videos == 3
    assert one.notes.total() > 0
    assert two == one
    assert content(tmp_path / "two") == content(tmp_path / "one")
    assert run("cholecseg8k", tmp_path / "in", tmp_path / "two", 2).kept == 3


def test_a_bad_video_ends_it_and_leaves_nothing_half_done(tmp_path: Path) -> None:
    root, out = tree(tmp_path / "in", damaged=(30,)), tmp_path / "out"
    with pytest.raises(InputError, match=r"30.jpg: the mask of 'polyp' is 20 x 20"):
        run("clinicdb", root, out, 2)
    assert list(read_catalogue(out) or ()) == ["cvc-clinicdb_seq01"]
    with pytest.raises(InputError, match="is not finished"):
        open_masklets(out)
    assert not list(out.glob(".*.part"))
    report = run("clinicdb", root, out, 2, skip_bad=True)
    assert (report.kept, report.videos, list(report.failed)) == (1, 1, ["cvc-clinicdb_seq02"])
    assert not (out / ".converting").exists()


def test_a_process_that_dies_is_told_of(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from sam2s.convert import pool as convert_pool

    monkeypatch.setattr(convert_pool, "_convert", die)
    with pytest.raises(InputError, match="a worker process died"):
        run("clinicdb", tree(tmp_path / "in"), tmp_path / "out", 2)
    assert not list((tmp_path / "out").glob(".*.part"))
    monkeypatch.undo()
    assert run("clinicdb", tmp_path / "in", tmp_path / "out", 1).videos == 3


def die(name: str, hidden: Path) -> None:
    os._exit(3)


def test_at_least_one(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="workers=0: expected at least one process"):
        run("clinicdb", tree(tmp_path / "in"), tmp_path / "out", 0)
