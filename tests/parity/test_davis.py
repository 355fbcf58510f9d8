"""J and F against DAVIS 2017: a slow reading of its definition, and numbers that its public
evaluator gave.

``davis_numbers.json`` was made by running this file beside the public evaluator (`db_eval_iou`,
`db_eval_boundary` of davisvideochallenge/davis2017-evaluation at commit ac7c43f, with OpenCV and
scikit-image installed):

    python tests/parity/test_davis.py PATH_OF_ITS_CHECKOUT > tests/parity/davis_numbers.json

Masks come from NumPy's legacy generator, whose stream is frozen, so they are the same everywhere.
"""

import json
import math
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from sam2s.metrics import boundary_f, jaccard, score_frame, score_sequence
from sam2s.metrics.boundary import tolerance

NUMBERS = Path(__file__).with_name("davis_numbers.json")
Pair = tuple[np.ndarray, np.ndarray]


# ---------------------------------------- generated masks


def blobs(seed: int, size: tuple[int, int], count: int = 4) -> np.ndarray:
    """Overlapping ellipses, some over the border of the picture."""
    random = np.random.RandomState(seed)
    rows, cols = np.mgrid[: size[0], : size[1]]
    mask = np.zeros(size, bool)
    for _ in range(count):
        y, x = random.uniform(-0.1, 1.1, 2) * size
        a, b = random.uniform(0.03, 0.35, 2) * size
        mask |= ((rows - y) / a) ** 2 + ((cols - x) / b) ** 2 < 1
    return mask


def box(size: tuple[int, int], top: int, left: int, bottom: int, right: int) -> np.ndarray:
    mask = np.zeros(size, bool)
    mask[top:bottom, left:right] = True
    return mask


def noise(seed: int, size: tuple[int, int], share: float) -> np.ndarray:
    return np.random.RandomState(seed).uniform(size=size) < share


def shifted(mask: np.ndarray, dy: int, dx: int) -> np.ndarray:
    return np.roll(mask, (dy, dx), axis=(0, 1))


def special_pairs(size: tuple[int, int]) -> Iterator[tuple[str, Pair]]:
    """(name, (predicted, true)) of the conventions: empty, full, one pixel, border."""
    h, w = size
    empty, full, middle = (
        np.zeros(size, bool),
        np.ones(size, bool),
        box(size, h // 4, w // 4, h // 2, w // 2),
    )
    pixel, corner = box(size, h // 2, w // 2, h // 2 + 1, w // 2 + 1), box(size, h - 1, w - 1, h, w)
    first, left = box(size, 0, 0, 1, 1), box(size, 0, 0, h, w // 3)
    frame = ~box(size, 1, 1, h - 1, w - 1)
    yield "empty, empty", (empty, empty)
    yield "empty, object", (empty, middle)
    yield "object, empty", (middle, empty)
    yield "full, full", (full, full)
    yield "full, empty", (full, empty)
    yield "empty, full", (empty, full)
    yield "full, object", (full, middle)
    yield "object, full", (middle, full)
    yield "same", (middle, middle)
    yield "one pixel", (pixel, pixel)
    yield "one pixel, its neighbour", (pixel, shifted(pixel, 0, 1))
    yield "one pixel, object", (pixel, middle)
    yield "last pixel", (corner, corner)
    yield "last pixel, object", (corner, middle)
    yield "first pixel, last pixel", (first, corner)
    yield "first pixel, empty", (first, empty)
    yield "left border", (left, box(size, 0, 0, h, w // 2))
    yield "left border, right border", (left, left[:, ::-1])
    yield "bottom border", (box(size, h // 2, 0, h, w), box(size, h // 2 + 1, 0, h, w))
    yield "whole border", (frame, ~frame)
    yield "last row", (box(size, h - 1, 0, h, w), box(size, h - 2, 0, h, w))
    yield "last column", (box(size, 0, w - 1, h, w), box(size, 0, w - 2, h, w))


def random_pairs(size: tuple[int, int], seeds: range) -> Iterator[tuple[str, Pair]]:
    for seed in seeds:
        mask = blobs(seed, size)
        yield f"blobs {seed}", (mask, blobs(seed + 1000, size))
        yield f"blobs {seed} moved", (mask, shifted(mask, seed % 5, -(seed % 3) - 1))
        yield f"blobs {seed} with noise", (mask ^ noise(seed, size, 0.02), mask)
    yield "sparse noise", (noise(1, size, 0.01), noise(2, size, 0.01))
    yield "dense noise", (noise(3, size, 0.5), noise(4, size, 0.5))


SMALL = [(17, 31), (40, 33), (1, 9), (9, 1), (2, 2), (1, 1)]
STORED = [(64, 64), (97, 60), (240, 320), (480, 854), (512, 512), (13, 200)]


def all_pairs(sizes: list[tuple[int, int]], seeds: range) -> dict[str, Pair]:
    return {
        f"{h}x{w} {name}": pair
        for h, w in sizes
        for name, pair in (
            *(special_pairs((h, w)) if min(h, w) >= 9 else ()),
            *random_pairs((h, w), seeds),
        )
    }


# ---------------------------------------- the definition, read pixel by pixel


def slow_j(pred: np.ndarray, gt: np.ndarray) -> float:
    both = sum(bool(p and g) for p, g in zip(pred.flat, gt.flat, strict=True))
    either = sum(bool(p or g) for p, g in zip(pred.flat, gt.flat, strict=True))
    return both / either if either else 1.0


def slow_contour(mask: np.ndarray) -> list[tuple[int, int]]:
    """A pixel is contour if it differs from its right, lower or lower right neighbour, as far as it
    has them.

    In the last row only the right neighbour exists, in the last column only the lower one, the last
    pixel has none.
    """
    h, w = mask.shape
    found = []
    for y in range(h):
        for x in range(w):
            neighbours = [(y, x + 1), (y + 1, x), (y + 1, x + 1)]
            if any(v < h and u < w and mask[v, u] != mask[y, x] for v, u in neighbours):
                found.append((y, x))
    return found


def slow_f(pred: np.ndarray, gt: np.ndarray) -> float:
    reach = math.ceil(0.008 * math.sqrt(pred.shape[0] ** 2 + pred.shape[1] ** 2))

    def matched(some: list[tuple[int, int]], others: list[tuple[int, int]]) -> float:
        near = [any((y - v) ** 2 + (x - u) ** 2 <= reach**2 for v, u in others) for y, x in some]
        return sum(near) / len(near)

    a, b = slow_contour(pred), slow_contour(gt)
    if not a and not b:
        return 1.0
    if not a or not b:
        return 0.0  # one of precision and recall is 1 by convention, the other 0
    precision, recall = matched(a, b), matched(b, a)
    return 0.0 if precision + recall == 0 else 2 * precision * recall / (precision + recall)


# ---------------------------------------- tests


SMALL_PAIRS = all_pairs(SMALL, range(6))


@pytest.mark.parametrize("name", SMALL_PAIRS)
def test_equal_to_the_definition(name: str) -> None:
    pred, gt = SMALL_PAIRS[name]
    assert jaccard(pred, gt) == pytest.approx(slow_j(pred, gt), abs=1e-12)
    assert boundary_f(pred, gt) == pytest.approx(slow_f(pred, gt), abs=1e-12)


def test_equal_to_the_public_evaluator() -> None:
    numbers = json.loads(NUMBERS.read_text())
    pairs = all_pairs(STORED, range(5))
    assert set(numbers) == set(pairs)
    for name, (pred, gt) in pairs.items():
        ours = score_frame(pred, gt)
        assert (ours.j, ours.f) == pytest.approx(numbers[name], abs=1e-9), name


def test_the_stored_numbers_tell_implementations_apart() -> None:
    """The comparison would notice a tolerance that is one pixel off; many scores lie strictly
    between 0 and 1."""
    numbers = json.loads(NUMBERS.read_text())
    assert sum(0.01 < f < 0.99 for _, f in numbers.values()) > 60
    for size in ((240, 320), (512, 512)):
        pairs = {k: v for k, v in all_pairs([size], range(5)).items() if "blobs" in k}
        right = np.array([numbers[k][1] for k in pairs])
        for off in (-1, 1):
            wrong = np.array(
                [boundary_f(*pair, bound_th=tolerance(size) + off) for pair in pairs.values()]
            )
            assert np.abs(wrong - right).max() > 1e-3


def test_a_sequence_is_the_mean_of_its_frames() -> None:
    pairs = [(blobs(s, (60, 80)), blobs(s + 50, (60, 80))) for s in range(5)]
    score = score_sequence(iter(pairs))
    assert score is not None
    assert score.frames == 5
    assert score.j == pytest.approx(np.mean([slow_j(*p) for p in pairs]), abs=1e-12)
    assert score.f == pytest.approx(np.mean([slow_f(*p) for p in pairs]), abs=1e-12)
    assert score.jf == pytest.approx((score.j + score.f) / 2)


if __name__ == "__main__":
    sys.path.insert(0, sys.argv[1])
    from davis2017.metrics import db_eval_boundary, db_eval_iou

    lines = [
        f"{json.dumps(name)}: [{float(db_eval_iou(gt, pred))!r},"
        f" {float(db_eval_boundary(gt, pred))!r}]"
        for name, (pred, gt) in all_pairs(STORED, range(5)).items()
    ]
    print("{\n" + ",\n".join(lines) + "\n}")
