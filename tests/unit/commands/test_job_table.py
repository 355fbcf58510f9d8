"""Tables of jobs: what is understood, and every way to get one wrong."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from sam2s.commands.job_table import read_jobs
from sam2s.errors import InputError


def table(folder: Path, text: str) -> Path:
    path = folder / "jobs.csv"
    path.write_text(text, encoding="utf-8")
    return path


def test_paths_are_relative_to_the_table(tmp_path: Path) -> None:
    path = table(
        tmp_path,
        "\ufeffsource, prompts, out, options\n"
        'a.mp4, p.json, out/a, "--model nano --overlay a-overlay.mp4 --exclusive"\n'
        "rtsp://host/b,, out/b, --click 1:3,4 --direction both\n",
    )
    # A comma in an option asks for quotes, as in every CSV.
    with pytest.raises(InputError, match="line 3: has more cells than there are columns"):
        read_jobs(path)
    path.write_text(path.read_text().replace("--click 1:3,4 --direction both", '"--click 1:3,4"'))
    one, two = read_jobs(path)
    assert one.track.source == str(tmp_path / "a.mp4")
    assert one.track.prompts == tmp_path / "p.json"
    assert one.track.out == tmp_path / "out/a"
    assert one.track.overlay == tmp_path / "a-overlay.mp4"
    assert one.track.exclusive
    assert one.shown == "out/a"
    assert two.track.source == "rtsp://host/b"
    assert two.track.click == ("1:3,4",)
    assert one.name != two.name


def test_a_job_changes_with_what_decides_its_result(tmp_path: Path) -> None:
    source, prompts = tmp_path / "a.mp4", tmp_path / "p.json"
    source.write_bytes(b"1")
    prompts.write_text("[]")
    text = "source,prompts,out,options\na.mp4,p.json,out/a,--model nano\n"
    (job,) = read_jobs(table(tmp_path, text))
    keys = {job.key}
    prompts.write_text("[ ]")
    keys.add(job.key)
    os.utime(source, (1, 1))
    keys.add(job.key)
    (other,) = read_jobs(table(tmp_path, text.replace("nano", "nano --exclusive")))
    keys.add(other.key)
    assert len(keys) == 4
    assert other.name == job.name
    source.unlink()
    prompts.unlink()
    assert job.key, "what is missing is found out when the job is done"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "has no column 'source'; expected source, prompts, out, options"),
        ("sorce,out\na,b\n", "has a column 'sorce'; expected source, prompts, out, options"),
        ("source,prompts\na,b\n", "has no column 'out'"),
        ("source,out\n", "holds no jobs"),
        ("source,out\n,b\n", "line 2: source is empty"),
        ("source,out\na,\n", "line 2: out is empty"),
        ("source,out\na\n", "line 2: out is empty"),
        ("source,out\n-,b\n", "line 2: jobs cannot read the standard input"),
        ("source,out\na,b\nc,./b\n", "two jobs have the folder ./b"),
        ("source,out,options\na,b,--nonsense\n", "line 2: sam2s track does not take the options"),
        ("source,out,options\na,b,--frame x\n", "does not take the options '--frame x'"),
        ("source,out,options\na,b,--out c\n", "the folder stands in the column out"),
        ('source,out,options\na,b,"--model \'x"\n', "No closing quotation"),
        ('source,out\n"a,b\n', "unexpected end of data"),
    ],
)
def test_what_is_no_table_of_jobs(tmp_path: Path, text: str, words: str) -> None:
    with pytest.raises(InputError) as error:
        read_jobs(table(tmp_path, text))
    assert words in str(error.value)
    assert "jobs.csv" in str(error.value)
    assert "\n" not in str(error.value)


def test_what_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be read"):
        read_jobs(tmp_path / "none.csv")
    (tmp_path / "latin.csv").write_bytes(b"source,out\n\xe9,b\n")
    with pytest.raises(InputError, match="no text in UTF-8"):
        read_jobs(tmp_path / "latin.csv")
