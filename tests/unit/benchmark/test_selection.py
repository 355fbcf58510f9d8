"""Which videos and objects are scored."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from colours import ColourTracker

from sam2s.benchmark.evaluate import evaluate_folders
from sam2s.benchmark.run_benchmark import EvaluatedModel, Options, run_benchmark
from sam2s.benchmark.selection import ObjectName, Selection
from sam2s.errors import InputError

QUIET = Options(progress=False)
THERE = {"a": (1, 2), "b": (2,), "c/d": (7,)}


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("2", ObjectName(None, 2)),
        ("a/2", ObjectName("a", 2)),
        ("c/d/007", ObjectName("c/d", 7)),
    ],
)
def test_names(text: str, name: ObjectName):
    assert ObjectName.parse(text) == name


@pytest.mark.parametrize("text", ["", "a", "a/", "-1", "1.5", "²"])
def test_what_is_no_name(text: str):
    with pytest.raises(InputError, match="expected ID or VIDEO/ID"):
        ObjectName.parse(text)


@pytest.mark.parametrize(
    ("videos", "objects", "expected"),
    [
        ((), (), ("a", "b", "c/d")),
        (("b",), (), ("b",)),
        ((), ("2",), ("a", "b")),
        ((), ("a/1", "c/d/7"), ("a", "c/d")),
        (("b", "a"), ("2",), ("b", "a")),
    ],
)
def test_videos_that_hold_what_is_chosen(videos, objects, expected):
    selection = Selection(videos, tuple(map(ObjectName.parse, objects)))
    assert selection.of(THERE) == expected


@pytest.mark.parametrize(
    ("videos", "objects", "words"),
    [
        (("x",), (), "no such video: x; there are a, b, c/d"),
        ((), ("3",), "no such object: 3; there are a/1, a/2, b/2, c/d/7"),
        ((), ("b/1",), "no such object: b/1"),
        (("b",), ("a/1",), "no such object: a/1; there are b/2"),
    ],
)
def test_what_is_not_there(videos, objects, words: str):
    with pytest.raises(InputError, match=words):
        Selection(videos, tuple(map(ObjectName.parse, objects))).of(THERE)


def score(folder: Path, *objects: str, **options: object):
    chosen = tuple(map(ObjectName.parse, objects))
    settings = replace(QUIET, objects=chosen, **options)  # type: ignore[arg-type]
    return run_benchmark(folder, EvaluatedModel(ColourTracker(), {}), settings)


def test_a_benchmark_of_one_object_scores_it_as_among_others(folder: Path, tmp_path: Path):
    whole, alone = score(folder), score(folder, "moving/1", masks=tmp_path / "masks")
    assert {(o.video, o.object_id) for o in alone.board().objects} == {("moving", 1)}
    every = {(o.video, o.object_id): o for o in whole.board().objects}
    assert alone.board().objects[0] == every["moving", 1]
    assert alone.to_json()["protocol"]["objects"] == ["moving/1"]
    assert "objects" not in whole.to_json()["protocol"]
    assert [p.name for p in (tmp_path / "masks/Annotations/moving").iterdir()] == ["001"]
    assert {o.object_id for o in score(folder, "1").board().objects} == {1}
    with pytest.raises(InputError, match="no such object: still/2"):
        score(folder, "still/2")


def test_what_is_not_prompted_can_still_be_taken_for_another(folder: Path):
    """Swaps are judged against every annotated object, chosen or not."""

    class Swapper(ColourTracker):
        def step(self, frame, prompts, prior):
            result = super().step(frame, prompts, prior)
            masks = dict(result.masks)
            if 4 <= frame.index < 8 and 1 in masks:
                green = (frame.image[..., 1] > 180) & (frame.image[..., 0] < 90)
                masks[1] = green
            return replace(result, masks=masks)

    options = replace(QUIET, objects=(ObjectName("moving", 1),))
    result = run_benchmark(folder, EvaluatedModel(Swapper(), {}), options)
    assert result.board().behaviour.swaps == 1


def test_evaluate_takes_the_same(folder: Path, tmp_path: Path):
    score(folder, masks=tmp_path / "masks")
    whole = evaluate_folders(tmp_path / "masks", folder, progress=False)
    chosen = Selection((), (ObjectName("moving", 1),))
    alone = evaluate_folders(tmp_path / "masks", folder, chosen=chosen, progress=False)
    assert [(o.video, o.object_id) for o in alone.board.objects] == [("moving", 1)]
    assert alone.board.objects[0] in whole.board.objects
    assert alone.to_json()["protocol"]["objects"] == ["moving/1"]
    with pytest.raises(InputError, match="no such video: nobody"):
        evaluate_folders(tmp_path / "masks", folder, chosen=Selection(("nobody",)))
