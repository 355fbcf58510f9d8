"""Suites: which videos belong, what subsets are called, what is missing; and the report."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from colours import ColourTracker, paint, square
from PIL import Image

from sam2s.benchmark import long_term, plots, suite_report
from sam2s.benchmark.paper_rows import BY_PROMPT, PROMPT, ROWS, TITLES
from sam2s.benchmark.run_benchmark import EvaluatedModel, Options, run_benchmark
from sam2s.benchmark.suite import SA_SV, choose, gather
from sam2s.benchmark.suite_report import prepare_report, sa_sv_table, write_report
from sam2s.errors import InputError
from sam2s.masklets.masklets import MaskletWriter, ObjectInfo, VideoInfo
from sam2s.masklets.vocabulary import SA_SV_TITLES as SOURCES
from sam2s.synthetic import HELD_OUT, SceneSpec

QUIET = Options(progress=False, suite="sa-sv")
TOOL, TISSUE = ObjectInfo("needle driver", "instrument"), ObjectInfo("kidney parenchyma", "tissue")
ABOUT = {"name": "colour", "sha256": "0" * 64, "memory": {"rule": "none"}, "image_size": 64}


def write(
    root: Path, name: str, source: str | None, split: str | None, objects: dict[int, ObjectInfo]
) -> None:
    with MaskletWriter(root) as writer:
        writer.add_video(name, VideoInfo(source, None, split, 1.0, objects))
        for i in range(4):
            masks = {k: square(4 + 20 * (k - 1), 5 + 2 * i) for k in objects}
            writer.write(name, f"{i:05d}", paint(masks), masks)


@pytest.fixture(scope="module")
def sources(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three sources in a folder each; 'polypgen' says nothing of its source and split, and repeats
    a video's name."""
    root = tmp_path_factory.mktemp("suite")
    write(root / "endovis18", "seq_2", "EndoVis18", "test", {1: TOOL, 2: TISSUE})
    write(root / "endovis18", "seq_3", "EndoVis18", "train", {1: TOOL})
    write(root / "cis", "vid", "CholecInstanceSeg", "test", {1: TOOL})
    write(root / "polypgen", "vid", None, None, {1: ObjectInfo("polyp", "tissue")})
    write(root / "kvasir", "still", "Kvasir-SEG", "test", {1: ObjectInfo("polyp", "tissue")})
    (root / "notes").mkdir()
    return root


def run(root: Path, options: Options = QUIET):
    return run_benchmark(root, EvaluatedModel(ColourTracker(), ABOUT), options)


def test_the_suite_is_the_papers() -> None:
    assert tuple(subset.title for subset in SA_SV) == TITLES
    assert {subset.source for subset in SA_SV} <= set(SOURCES)
    assert [subset.title for subset in SA_SV if subset.long_term] == [
        "EV17",
        "RARP50",
        "Hyst-YT",
        "CIS-Test",
    ]
    for row in ROWS:
        assert sum(row.scores) / 8 == pytest.approx(row.mean, abs=0.006), row.method
    for method, means in BY_PROMPT.items():
        assert means[PROMPT] == next(row.mean for row in ROWS if row.method == method)


def test_folders_side_by_side_are_one(sources: Path) -> None:
    videos = gather(sources).videos
    assert sorted(videos) == ["cis_vid", "polypgen_vid", "seq_2", "seq_3", "still"]
    assert videos["polypgen_vid"].info.source == "polypgen"
    assert videos["cis_vid"].info.source == "CholecInstanceSeg"
    assert videos["cis_vid"].mask(1, 0).any()
    assert list(gather(sources / "cis").videos) == ["vid"]
    with pytest.raises(InputError, match="no such folder"):
        gather(sources / "nowhere")
    with pytest.raises(InputError, match="expected a folder named"):
        gather(sources / "notes")


def test_test_videos_are_chosen_and_the_rest_is_noted(sources: Path) -> None:
    chosen = choose("sa-sv", sources)
    assert sorted(chosen.names) == ["cis_vid", "polypgen_vid", "seq_2"]
    assert chosen.notes == (
        "1 videos of other sources: left out",
        "1 videos of another split than test: left out",
        "1 videos without a split: taken as test",
    )
    with pytest.raises(InputError, match="no test video of SA-SV"):
        choose("sa-sv", sources / "kvasir")


def test_subsets_means_and_what_is_missing(sources: Path) -> None:
    result = run(sources)
    entry = result.to_json()
    suite = entry["suite"]
    assert list(suite["subsets"]) == ["EV18-I", "CIS-Test", "EV18-T", "PolypGen"]
    assert suite["missing"] == ["EV17", "RARP50", "Hyst-YT", "SurgAI3.8k"]
    assert suite["mean"]["jf"] == pytest.approx(sum(s["jf"] for s in suite["subsets"].values()) / 4)
    assert suite["mean"] == entry["mean"]
    assert suite["long_term"]["subsets"] == ["CIS-Test"]
    assert suite["long_term"]["missing"] == ["EV17", "RARP50", "Hyst-YT"]
    assert suite["long_term"]["mean"]["jf"] == pytest.approx(suite["subsets"]["CIS-Test"]["jf"])
    assert set(entry["details"]) == {"all", "EV18-I", "EV18-T", "CIS-Test", "PolypGen"}
    assert len(entry["protocol"]["notes"]) == 3


def test_only_named_videos_of_the_suite(sources: Path) -> None:
    assert [v.video for v in run(sources, replace(QUIET, videos=("seq_2",))).videos] == ["seq_2"]
    with pytest.raises(InputError, match="no such video: seq_3"):
        run(sources, replace(QUIET, videos=("seq_3",)))


def test_the_table_has_the_papers_rows_marked_as_quoted(sources: Path) -> None:
    three, box = (
        run(sources, replace(QUIET, prompt=prompt)).to_json() for prompt in ("3-click", "box")
    )
    head, _, *rows = sa_sv_table([three]).splitlines()
    assert [cell.strip() for cell in head.strip("|").split("|")][3:] == [
        *TITLES,
        "mean",
        "frames/s",
    ]
    assert len(rows) == 1 + len(ROWS)
    assert all("†" in row for row in rows[1:])
    assert "(4 of 8)" in rows[0]
    assert rows[0].split("|")[4].strip() == "-"  # EV17 is missing
    assert "80.42" in rows[-1]
    more = sa_sv_table([box]).splitlines()
    assert len(more) == len(rows) + 2 + len(BY_PROMPT)
    assert "81.13" in more[-1]


def test_report_of_a_suite(sources: Path, tmp_path: Path) -> None:
    folder = tmp_path / "deep" / "report"
    json_file = prepare_report(folder)
    result = run(sources, replace(QUIET, json=json_file))
    text = write_report(folder, [result.to_json()]).read_text()
    assert "**Missing: EV17, RARP50, Hyst-YT, SurgAI3.8k.**" in text
    assert "quoted from the paper (arXiv 2511.16618, v1), not measured here" in text
    assert "Note: 1 videos without a split: taken as test." in text
    assert "0" * 64 in text
    assert "skip_first = prompted" in text
    # Colours have no logits, so there is no reliability to draw, and no word of it.
    assert sorted(p.name for p in folder.iterdir()) == [
        "classes.png",
        "course.png",
        "report.md",
        "results.json",
    ]
    assert "reliability.png" not in text
    for name in ("classes.png", "course.png"):
        with Image.open(folder / name) as picture:
            assert min(picture.size) > 300
    assert json.loads(json_file.read_text())["suite"] == result.to_json()["suite"]


def test_report_without_a_suite(folder: Path, tmp_path: Path) -> None:
    result = run_benchmark(folder, EvaluatedModel(ColourTracker(), ABOUT), Options(progress=False))
    text = write_report(tmp_path, [result.to_json()]).read_text()
    assert "| myotomy |" in text
    assert "†" not in text


def test_reliability_is_drawn_of_one_run_and_of_several(tmp_path: Path) -> None:
    curve = {"predicted": [0.1, 0.9], "observed": [0.2, 0.8], "pixels": [30, 70]}
    details = {
        "reliability": {"every": curve, "found": curve},
        "ece": 10.0,
        "ece_found": None,
        "course": [],
    }
    entry = {"details": {"all": details}}
    assert plots.plot_reliability({"one": entry}, tmp_path / "one.png")
    assert plots.plot_reliability(
        {"a": {"details": {"all": {**details, "ece_found": 9.0}}}, "b": entry}, tmp_path / "b.png"
    )
    assert not plots.plot_reliability(
        {"none": {"details": {"all": {"reliability": None}}}}, tmp_path / "none.png"
    )
    assert sorted(p.name for p in tmp_path.iterdir()) == ["b.png", "one.png"]
    with pytest.raises(InputError, match="cannot be written"):
        plots.plot_comparison(
            {"recent": 50.0, "diverse": 60.0}, tmp_path / "no" / "bars.png", "J&F"
        )


def test_without_matplotlib_a_report_is_refused_before_the_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(__import__("sys").modules, "matplotlib", None)
    with pytest.raises(InputError, match="matplotlib"):
        suite_report.prepare_report(tmp_path / "report")
    assert not (tmp_path / "report").exists()


def test_a_report_needs_a_folder(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="cannot be made"):
        prepare_report(tmp_path / "file")


def test_long_term_specs_are_fixed_and_hold_the_procedure_that_is_held_out() -> None:
    specs = long_term.SUITE.specs()
    assert len(specs) == 20
    assert {spec.frames for spec in specs} == {600}
    assert {spec.lookalikes for spec in specs} == {1.0}
    assert sum(spec.procedure == HELD_OUT for spec in specs) == 3
    assert len({spec.seed for spec in specs}) == 20
    assert specs == long_term.SUITE.specs()
    assert specs[0].seed == 3653588009


def test_long_term_videos_are_made_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    short = [SceneSpec(seed=i, procedure="myotomy", frames=3, size=(64, 64)) for i in range(2)]
    monkeypatch.setattr(long_term.LongTerm, "specs", lambda self: short)
    data = tmp_path / "long"
    made = choose("long-term", data, progress=False)
    assert made.names == ("myotomy_0000", "myotomy_0001")
    picture = next((data / "JPEGImages" / "myotomy_0000").iterdir())
    before = picture.stat().st_mtime_ns
    assert choose("long-term", data, progress=False).names == made.names
    assert picture.stat().st_mtime_ns == before
    result = run_benchmark(
        data, EvaluatedModel(ColourTracker(), ABOUT), Options(progress=False, suite="long-term")
    )
    assert "suite" not in result.to_json()
    assert result.protocol["suite"] == "long-term"
    monkeypatch.setattr(
        long_term.LongTerm, "specs", lambda self: [replace(s, frames=5) for s in short]
    )
    with pytest.raises(InputError, match="has 3 frames, not 5"):
        choose("long-term", data, progress=False)
    monkeypatch.setattr(long_term.LongTerm, "specs", lambda self: short[:1])
    with pytest.raises(InputError, match="holds video 'myotomy_0001'"):
        choose("long-term", data, progress=False)
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "notes.txt").write_text("keep")
    with pytest.raises(InputError, match="holds other files"):
        choose("long-term", tmp_path / "mine", progress=False)
