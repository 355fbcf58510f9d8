from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from source_trees import box, converted, grey, picture, write

from sam2s.convert import one_video
from sam2s.convert.convert import ConvertSettings, convert
from sam2s.convert.sources import get_source, list_sources
from sam2s.convert.sources.table import sources_text
from sam2s.errors import InputError
from sam2s.masklets.masklets import open_masklets
from sam2s.masklets.provenance import read_provenance
from sam2s.masklets.vocabulary import is_known


def tree(root: Path, numbers: tuple[int, ...] = (1, 2, 30, 60)) -> Path:
    for number in numbers:
        picture(root / f"images/{number}.jpg", seed=number)
        write(root / f"masks/{number}.png", grey(box(3, 3, 12, 14)))
    return root


def content(root: Path) -> dict[str, bytes]:
    return {
        str(p.relative_to(root)): p.read_bytes() for p in sorted(root.rglob("*")) if p.is_file()
    }


def stamps(root: Path) -> dict[str, int]:
    return {str(p): p.lstat().st_mtime_ns for p in sorted(root.rglob("*"))}


@pytest.mark.parametrize("frames", ["link", "copy", "jpeg"])
def test_frames_modes(tmp_path: Path, frames: str) -> None:
    root = tree(tmp_path / "in")
    done = converted("clinicdb", root, tmp_path / "out", frames)
    path = tmp_path / "out/JPEGImages/cvc-clinicdb_seq01/000001.jpg"
    assert path.is_symlink() == (frames == "link")
    assert (path.read_bytes() == (root / "images/1.jpg").read_bytes()) == (frames != "jpeg")
    assert done.provenance["sources"]["CVC-ClinicDB"]["frames"] == frames
    assert done.provenance["sources"]["CVC-ClinicDB"]["licence"]


def test_doing_it_again_changes_nothing(tmp_path: Path) -> None:
    root = tree(tmp_path / "in")
    first = convert("clinicdb", root, tmp_path / "out", "copy", False)
    before = stamps(tmp_path / "out")
    again = convert("clinicdb", root, tmp_path / "out", "copy", False)
    assert (first.videos, first.kept, again.videos, again.kept) == (3, 0, 0, 3)
    assert stamps(tmp_path / "out") == before
    convert("clinicdb", root, tmp_path / "other", "copy", False)
    assert content(tmp_path / "other") == content(tmp_path / "out")


@pytest.mark.parametrize("stop_at", [1, 3, 4])
def test_broken_off_and_resumed_is_as_if_nothing_happened(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stop_at: int
) -> None:
    root = tree(tmp_path / "in")
    convert("clinicdb", root, tmp_path / "whole", "copy", False)
    place, count = one_video._Conversion._place, 0

    def broken(*arguments: object) -> object:
        nonlocal count
        count += 1
        if count == stop_at:
            raise KeyboardInterrupt
        return place(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(one_video._Conversion, "_place", broken)
    with pytest.raises(KeyboardInterrupt):
        convert("clinicdb", root, tmp_path / "out", "copy", False)
    assert (tmp_path / "out/.converting").exists()
    monkeypatch.setattr(one_video._Conversion, "_place", place)
    report = convert("clinicdb", root, tmp_path / "out", "copy", False)
    assert report.kept + report.videos == 3
    assert content(tmp_path / "out") == content(tmp_path / "whole")


def test_killed_before_the_lists_were_written(tmp_path: Path) -> None:
    """Videos that are in place but in no list are ours while the marker is there, and somebody's
    else."""
    root = tree(tmp_path / "in")
    convert("clinicdb", root, tmp_path / "whole", "copy", False)
    convert("clinicdb", root, tmp_path / "out", "copy", False)
    for name in ("masklets.json", "sources.json"):
        (tmp_path / "out" / name).unlink()
    with pytest.raises(InputError, match=r"exists already, but masklets.json does not list it"):
        convert("clinicdb", root, tmp_path / "out", "copy", False)
    (tmp_path / "out/.converting").touch()
    convert("clinicdb", root, tmp_path / "out", "copy", False)
    assert content(tmp_path / "out") == content(tmp_path / "whole")


def test_other_settings_need_another_folder(tmp_path: Path) -> None:
    root = tree(tmp_path / "in")
    convert("clinicdb", root, tmp_path / "out", "copy", False)
    with pytest.raises(
        InputError, match="was converted there with frames='copy', now it is 'link'"
    ):
        convert("clinicdb", root, tmp_path / "out", "link", False)


def test_two_sources_share_a_folder(tmp_path: Path) -> None:
    convert("clinicdb", tree(tmp_path / "a"), tmp_path / "out", "copy", False)
    convert("kvasir-seg", tree(tmp_path / "b"), tmp_path / "out", "copy", False)
    folder = open_masklets(tmp_path / "out")
    assert {video.info.source for video in folder.videos.values()} == {"CVC-ClinicDB", "Kvasir-SEG"}
    assert set(read_provenance(tmp_path / "out").sources) == {"CVC-ClinicDB", "Kvasir-SEG"}


def test_bad_videos_end_it_or_are_left_out_and_named(tmp_path: Path) -> None:
    root = tree(tmp_path / "in")
    write(root / "masks/30.png", grey(box(3, 3, 12, 14, (20, 20))))
    with pytest.raises(InputError, match=r"30.jpg: the mask of 'polyp' is 20 x 20"):
        convert("clinicdb", root, tmp_path / "out", "copy", False)
    report = convert(
        "clinicdb", root, tmp_path / "out", "copy", False, ConvertSettings(skip_bad=True)
    )
    assert list(report.failed) == ["cvc-clinicdb_seq02"]
    assert list(open_masklets(tmp_path / "out").videos) == [
        "cvc-clinicdb_seq01",
        "cvc-clinicdb_seq03",
    ]


def test_frames_of_two_sizes_in_a_video(tmp_path: Path) -> None:
    root = tree(tmp_path / "in", (1,))
    picture(root / "images/2.jpg", (20, 20))
    write(root / "masks/2.png", grey(box(3, 3, 12, 14, (20, 20))))
    with pytest.raises(
        InputError, match=r"2.jpg: is 20 x 20 pixels, the frames before it of 'seq01' are 40 x 32"
    ):
        convert("clinicdb", root, tmp_path / "out", "copy", False)


def test_videos_without_objects_are_left_out_once_and_for_all(tmp_path: Path) -> None:
    root = tree(tmp_path / "in")
    write(root / "masks/30.png", grey(box(0, 0, 0, 0)))
    report = convert("clinicdb", root, tmp_path / "out", "copy", False)
    assert (report.videos, report.empty) == (2, 1)
    again = convert("clinicdb", root, tmp_path / "out", "copy", False)
    assert (again.videos, again.kept, again.empty) == (0, 3, 0)
    assert read_provenance(tmp_path / "out").sources["CVC-ClinicDB"].without_objects == (
        "cvc-clinicdb_seq02",
    )


def test_absent_is_zero_and_written_for_every_object(tmp_path: Path) -> None:
    root = tree(tmp_path / "in", (1, 2, 3))
    write(root / "masks/2.png", grey(box(0, 0, 0, 0)))
    video = converted("clinicdb", root, tmp_path / "out").folder.videos["cvc-clinicdb_seq01"]
    assert video.annotated(1) == [0, 1, 2]
    found = video.mask(1, 1)
    assert found is not None
    assert not found.any()
    np.testing.assert_array_equal(video.mask(1, 0), box(3, 3, 12, 14))


def test_bad_arguments(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no source 'spoon'; there are: art-net, autolaparo"):
        convert("spoon", tmp_path, tmp_path / "out")
    with pytest.raises(InputError, match="frames=move: expected one of link, copy, jpeg"):
        convert("clinicdb", tmp_path, tmp_path / "out", "move")  # type: ignore[arg-type]
    (tmp_path / "out").mkdir()
    (tmp_path / "out/sources.json").write_text("[1]")
    with pytest.raises(InputError, match=r"sources.json: expected"):
        convert("clinicdb", tree(tmp_path / "in"), tmp_path / "out")
    (tmp_path / "out/sources.json").write_text("{")
    with pytest.raises(InputError, match=r"sources.json: cannot be read as JSON"):
        convert("clinicdb", tree(tmp_path / "in"), tmp_path / "out")


def test_progress_is_shown(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sam2s.progress.EVERY", 1e-9)  # not ten seconds a line
    convert("clinicdb", tree(tmp_path / "in"), tmp_path / "out", "copy")
    assert "4/4" in capsys.readouterr().err


def test_sources_are_listed_and_found_by_any_spelling() -> None:
    infos = list_sources()
    assert len(infos) == 21
    assert len({info.name for info in infos}) == 21
    for info in infos:
        assert all(
            (
                info.title,
                info.get,
                info.licence,
                info.holds,
                info.procedure,
                info.split,
                info.expected,
            )
        )
        assert get_source(info.title).info is info
        assert get_source(info.name.upper().replace("-", "_")).info is info
    assert get_source("CIS").info.name == "cholecinstanceseg"


def test_sources_as_text() -> None:
    text = sources_text()
    assert all(f"{info.name} - {info.title}\n" in text for info in list_sources())
    assert max(map(len, text.splitlines())) <= 100
    assert sources_text([get_source("cis").info]).count("subset=") == 1


def test_unified_names_are_the_vocabularys() -> None:
    """Blood has no unified name: whether SA-SV keeps it is not known, and it is left out unless
    asked for."""
    from importlib import import_module

    from sam2s.convert.sources import READERS

    unknown = set()
    for reader in READERS:
        classes = getattr(import_module(f"sam2s.convert.sources.{reader}"), "CLASSES", {})
        unknown |= {
            o.class_name for o in classes.values() if o.class_name and not is_known(o.class_name)
        }
    assert unknown == {"blood"}


def test_json_is_one_line_a_video(tmp_path: Path) -> None:
    convert("clinicdb", tree(tmp_path / "in"), tmp_path / "out", "copy", False)
    text = (tmp_path / "out/sources.json").read_text()
    assert sum(line.startswith('  "cvc-clinicdb_seq') for line in text.splitlines()) == 3
    assert json.loads(text)["videos"]["cvc-clinicdb_seq01"]["ids"] == "derived"


def test_two_conversions_at_once_do_not_mix(tmp_path: Path) -> None:
    fcntl = pytest.importorskip("fcntl")
    root = tree(tmp_path / "in")
    (tmp_path / "out").mkdir()
    with (tmp_path / "out/.converting").open("w") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        with pytest.raises(InputError, match="another conversion is writing there"):
            convert("clinicdb", root, tmp_path / "out", "copy", False)
    assert convert("clinicdb", root, tmp_path / "out", "copy", False).videos == 3
    assert not (tmp_path / "out/.converting").exists()


def test_marker_of_a_conversion_that_ended_too_early_is_taken_away(tmp_path: Path) -> None:
    root = tree(tmp_path / "in")
    convert("clinicdb", root, tmp_path / "out", "copy", False)
    (tmp_path / "out/.converting").touch()
    assert convert("clinicdb", root, tmp_path / "out", "copy", False).kept == 3
    assert not (tmp_path / "out/.converting").exists()


def test_gap_option_ends_identities(tmp_path: Path) -> None:
    root = tree(tmp_path / "in", (1, 2, 3, 4))
    for number in (2, 3):
        write(root / f"masks/{number}.png", grey(box(0, 0, 0, 0)))
    for gap, objects in (("2", 1), ("1", 2)):
        settings = ConvertSettings({"gap": gap})
        report = convert("clinicdb", root, tmp_path / gap, "copy", False, settings)
        assert report.objects == objects
    assert convert("clinicdb", root, tmp_path / "any", "copy", False).objects == 1
    settings = ConvertSettings({"gap": "long"})
    with pytest.raises(InputError, match="option gap=long: expected a number of frames"):
        convert("clinicdb", root, tmp_path / "wrong", "copy", False, settings)
