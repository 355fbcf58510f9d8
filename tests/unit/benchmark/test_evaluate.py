"""Folder evaluation: layouts, skip rules, missing masks, errors."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from colours import SIZE, square
from PIL import Image

from sam2s.benchmark.evaluate import Evaluation, evaluate_folders
from sam2s.benchmark.scoring_rules import EVERY_FRAME, ScoringRules
from sam2s.errors import InputError
from sam2s.masklets.masks import write_binary_mask, write_index_mask
from sam2s.metrics import score_frame, score_sequence

TRUTH = [square(4, 2 + i) for i in range(6)]
GUESS = [square(4, 2 + 2 * i) for i in range(6)]


def write_sav(
    folder: Path, masks: list[np.ndarray], video: str = "video", object_id: int = 1
) -> Path:
    target = folder / "Annotations" / video / f"{object_id:03d}"
    target.mkdir(parents=True)
    for i, mask in enumerate(masks):
        write_binary_mask(target / f"{i:05d}.png", mask)
    return folder


def write_davis(folder: Path, ids: list[np.ndarray], video: str = "video") -> Path:
    target = folder / "Annotations" / "480p" / video
    target.mkdir(parents=True)
    for i, plane in enumerate(ids):
        write_index_mask(target / f"{i:05d}.png", plane.astype(np.uint8))
    return folder


def evaluate(pred: Path, gt: Path, rules: ScoringRules = EVERY_FRAME) -> Evaluation:
    return evaluate_folders(pred, gt, rules=rules, progress=False)


def test_every_annotated_frame_counts_by_default(tmp_path: Path) -> None:
    found = evaluate(write_sav(tmp_path / "pred", GUESS), write_sav(tmp_path / "gt", TRUTH))
    assert found.board.objects[0].score == score_sequence(zip(GUESS, TRUTH, strict=True))
    assert found.missing == {}


def test_skip_rules(tmp_path: Path) -> None:
    """The first frame that shows the object is the prompted one: with it goes what lies before."""
    empty = np.zeros(SIZE, bool)
    pred = write_sav(tmp_path / "pred", [square(0, 0), *GUESS])
    gt = write_sav(tmp_path / "gt", [empty, *TRUTH])
    pairs = list(zip(GUESS, TRUTH, strict=True))
    assert evaluate(pred, gt, ScoringRules()).board.objects[0].score == score_sequence(pairs[1:])
    assert evaluate(pred, gt, ScoringRules(skip_first="none", skip_last="video")).board.objects[
        0
    ].score == score_sequence([(GUESS[0], empty), *pairs[:-1]])
    both = evaluate(pred, gt, ScoringRules(skip_first="prompted", skip_last="video"))
    assert both.board.objects[0].score == score_sequence(pairs[1:-1])
    assert both.board.objects[0].first == 1


def test_layouts_can_be_mixed(tmp_path: Path) -> None:
    second = [square(30, 40 - i) for i in range(6)]
    ids = [t * 1 + s * 2 for t, s in zip(TRUTH, second, strict=True)]
    davis = write_davis(tmp_path / "davis", ids)
    sav = write_sav(write_sav(tmp_path / "sav", GUESS), second, object_id=2)
    one, two = evaluate(sav, davis).board.objects
    assert one.score == score_sequence(zip(GUESS, TRUTH, strict=True))
    assert two.score.jf == 1.0
    assert (
        evaluate(sav / "Annotations", davis).board.objects[0].score == one.score
    )  # the folder of annotations itself
    assert (
        evaluate(sav / "Annotations" / "video", davis).board.objects[0].score == one.score
    )  # one video's masks


def test_videos_may_be_named_by_numbers(tmp_path: Path) -> None:
    gt = write_davis(write_davis(tmp_path / "gt", TRUTH, video="0001"), GUESS, video="0002")
    found = evaluate(gt, gt)
    assert [(o.video, o.object_id) for o in found.board.objects] == [("0001", 1), ("0002", 1)]
    assert found.board.mean.jf == 1.0


def test_what_was_not_predicted_is_empty_and_counted(tmp_path: Path) -> None:
    gt = write_sav(write_sav(tmp_path / "gt", TRUTH), TRUTH, object_id=2)
    found = evaluate(write_sav(tmp_path / "pred", GUESS[:4]), gt)
    one, two = found.board.objects
    assert one.score == score_sequence(
        zip([*GUESS[:4], *[np.zeros(SIZE, bool)] * 2], TRUTH, strict=True)
    )
    assert two.score.jf == 0.0
    assert found.missing == {"video": 2 + 6}


def test_catalogue_gives_sources_and_kinds(folder: Path) -> None:
    found = evaluate(folder, folder)
    assert set(found.board.subsets) == {"alpha/instrument", "alpha/tissue", "beta"}
    assert found.board.mean.jf == 1.0
    assert (
        found.board.objects[2].first is None
    )  # never in view; its empty frames count all the same
    assert evaluate(folder, folder, ScoringRules()).board.objects[2].score is None


def test_json(tmp_path: Path) -> None:
    pred, gt = write_sav(tmp_path / "pred", GUESS), write_sav(tmp_path / "gt", TRUTH)
    found = evaluate_folders(pred, gt, json=tmp_path / "scores.json", progress=False)
    stored = json.loads((tmp_path / "scores.json").read_text())
    assert stored["mean"]["jf"] == pytest.approx(100 * found.board.mean.jf, abs=1e-5)
    assert stored["objects"]["video/001"]["frames"] == 6
    assert stored["protocol"]["rules"]["skip_first"] == "none"


def test_errors(tmp_path: Path) -> None:
    gt = write_sav(write_sav(tmp_path / "gt", TRUTH), TRUTH, video="other")
    pred = write_sav(tmp_path / "pred", GUESS)
    with pytest.raises(InputError, match="no such folder"):
        evaluate(tmp_path / "nowhere", gt)
    with pytest.raises(InputError, match="no masks of video 'other'"):
        evaluate(pred, gt)
    empty = tmp_path / "empty"
    empty.mkdir()
    with pytest.raises(InputError, match="no masks; expected"):
        evaluate(empty, gt)
    shutil.rmtree(gt / "Annotations" / "other")
    with pytest.raises(InputError, match="at the source's size"):
        evaluate(write_sav(tmp_path / "small", [m[:20, :20] for m in GUESS]), gt)
    for file in (pred / "Annotations" / "video" / "001").iterdir():
        file.rename(file.with_name("x" + file.name))
    with pytest.raises(InputError, match=r"'x00000.png' there, '00000.png' in the truth"):
        evaluate(pred, gt)
    single = write_sav(tmp_path / "single", TRUTH[:1])
    with pytest.raises(InputError, match="left to score"):
        evaluate(single, single, ScoringRules())


def test_one_score_by_hand(tmp_path: Path) -> None:
    found = evaluate(
        write_sav(tmp_path / "pred", GUESS[2:3]), write_sav(tmp_path / "gt", TRUTH[2:3])
    )
    assert found.board.objects[0].score == score_frame(GUESS[2], TRUTH[2])
    assert found.board.objects[0].score.j == pytest.approx(12 * 10 / (12 * 14))


def notes(pred: Path, gt: Path) -> list[str]:
    return list(evaluate(pred, gt).notes)


def test_a_prediction_that_fits_needs_no_notes(tmp_path: Path) -> None:
    gt = write_sav(tmp_path / "gt", TRUTH)
    assert notes(write_sav(tmp_path / "pred", GUESS), gt) == []
    assert notes(write_davis(tmp_path / "davis", GUESS), gt) == []


def test_frames_that_the_truth_lacks(tmp_path: Path) -> None:
    """Names counted from 1, and predictions of every frame where only some are annotated."""
    gt = write_sav(tmp_path / "gt", TRUTH)
    pred = write_sav(tmp_path / "pred", GUESS)
    files = sorted((pred / "Annotations/video/001").iterdir(), reverse=True)
    for file in files:
        file.rename(file.with_name(f"{int(file.stem) + 1:05d}.png"))
    assert notes(pred, gt) == ["video 'video': predicted frame 00006 is not in the truth"]
    assert evaluate(pred, gt).missing == {"video": 1}
    shutil.rmtree(gt)
    write_sav(gt, TRUTH[:2])
    assert notes(pred, gt) == [
        "video 'video': 5 predicted frames (00002, 00003, 00004, ...) are not in the truth"
    ]


def test_objects_that_the_truth_lacks(tmp_path: Path) -> None:
    gt = write_sav(tmp_path / "gt", TRUTH)
    found = notes(write_sav(tmp_path / "pred", GUESS, object_id=7), gt)
    assert found == [
        "video 'video': predicted object 7 is not in the truth (its objects: 1)",
        "video 'video', object 1: no predicted mask shows anything",
    ]


def test_values_that_are_no_object(tmp_path: Path) -> None:
    gt = write_sav(tmp_path / "gt", TRUTH)
    grey = write_davis(tmp_path / "grey", [mask * 100 for mask in GUESS])
    assert notes(grey, gt)[0].startswith("video 'video': predicted object 100 is not in the truth")
    void = write_davis(tmp_path / "void", [mask * 255 for mask in GUESS])
    assert notes(void, gt)[0] == (
        "video 'video', prediction: value 255 was taken as void, not as an object"
    )
    with pytest.raises(InputError, match=r"left to score; .*predicted object 1 is not in"):
        evaluate(gt, void)


def test_masks_of_everything(tmp_path: Path) -> None:
    gt = write_sav(tmp_path / "gt", TRUTH)
    pred = write_sav(tmp_path / "pred", [*GUESS[:4], *[np.ones(SIZE, bool)] * 2])
    assert notes(pred, gt) == [
        "video 'video', object 1: 2 of 6 predicted masks cover the whole picture, where the true"
        " ones do not"
    ]
    assert notes(pred, pred) == []


def test_videos_that_the_truth_lacks_and_many_notes(tmp_path: Path) -> None:
    names = [f"v{i}" for i in range(6)]
    for name in names:
        write_sav(tmp_path / "gt", TRUTH, video=name)
        write_sav(tmp_path / "pred", GUESS, video=name)
        write_sav(tmp_path / "pred", GUESS, video=name, object_id=2)
    write_sav(tmp_path / "pred", GUESS, video="x")
    found = notes(tmp_path / "pred", tmp_path / "gt")
    assert found[0] == "predicted video x is not in the truth"
    assert [line[:10] for line in found[1:]] == [
        "video 'v0'",
        "video 'v1'",
        "video 'v2'",
        "... and 3 m"[:10],
    ]
    assert found[-1] == "... and 3 more such notes"


def test_notes_are_stored(tmp_path: Path) -> None:
    pred = write_sav(tmp_path / "pred", GUESS, object_id=7)
    gt = write_sav(tmp_path / "gt", TRUTH)
    found = evaluate_folders(pred, gt, json=tmp_path / "scores.json", progress=False)
    assert json.loads((tmp_path / "scores.json").read_text())["notes"] == list(found.notes)


def test_palettes_of_other_programs_score_by_what_they_show(tmp_path: Path) -> None:
    gt = write_sav(tmp_path / "gt", TRUTH)
    pred = tmp_path / "pred" / "Annotations" / "video" / "001"
    pred.mkdir(parents=True)
    for i, mask in enumerate(TRUTH):
        picture = Image.fromarray(mask * np.uint8(255)).convert("RGB").quantize(2)
        picture.save(pred / f"{i:05d}.png")
    assert evaluate(tmp_path / "pred", gt).board.mean.jf == 1.0
