from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sam2s.convert.link import RETURNING, Linker, LinkRules

SIZE = (60, 80)


@dataclass(frozen=True, eq=False)
class Seen:
    label: str
    mask: np.ndarray
    track: str | None = None


def box(top: int, left: int, height: int = 10, width: int = 10) -> np.ndarray:
    mask = np.zeros(SIZE, dtype=bool)
    mask[top : top + height, left : left + width] = True
    return mask


def never() -> np.ndarray:
    raise AssertionError("overlap is enough here, no picture should be read")


def painted(*parts: tuple[np.ndarray, tuple[int, int, int]]) -> np.ndarray:
    image = np.zeros((*SIZE, 3), dtype=np.uint8)
    for mask, colour in parts:
        image[mask] = colour
    return image


def test_overlap_alone_needs_no_picture() -> None:
    linker = Linker()
    assert linker.step([Seen("a", box(0, 0)), Seen("a", box(0, 40))], never) == [1, 2]
    assert linker.step([Seen("a", box(1, 41)), Seen("a", box(2, 1))], never) == [2, 1]


def test_appearance_decides_where_two_cross_without_overlap() -> None:
    red, blue = (200, 0, 0), (0, 0, 200)
    linker = Linker(LinkRules(reach=3.0))
    left, right = box(20, 10), box(20, 40)
    assert linker.step(
        [Seen("a", left), Seen("a", right)], lambda: painted((left, red), (right, blue))
    ) == [1, 2]
    # Both jump to places of equal distance from where each was; only the colour tells them apart.
    up, down = box(5, 25), box(35, 25)
    assert linker.step(
        [Seen("a", up), Seen("a", down)], lambda: painted((up, blue), (down, red))
    ) == [2, 1]


def test_assignment_is_optimal_and_not_greedy() -> None:
    """The best single pair would leave the other region without a partner."""
    grey = lambda: np.full((*SIZE, 3), 90, np.uint8)  # noqa: E731
    linker = Linker(LinkRules(reach=0.9))
    linker.step([Seen("a", box(20, 20)), Seen("a", box(20, 32))], grey)
    assert linker.step([Seen("a", box(20, 26)), Seen("a", box(20, 38))], grey) == [1, 2]


def test_classes_do_not_mix() -> None:
    linker = Linker()
    assert linker.step([Seen("a", box(0, 0))], never) == [1]
    assert linker.step([Seen("b", box(0, 0))], never) == [2]


@pytest.mark.parametrize(("missed", "same"), [(0, True), (3, True), (4, False)])
def test_gap_limit(missed: int, same: bool) -> None:
    linker = Linker(LinkRules(max_gap=3))
    linker.step([Seen("a", box(0, 0))], never)
    for _ in range(missed):
        assert linker.step([], never) == []
    assert (linker.step([Seen("a", box(0, 0))], never) == [1]) == same


def test_given_tracks_stay_and_open_regions_continue_them() -> None:
    linker = Linker(LinkRules(max_gap=1))
    assert linker.step([Seen("a", box(0, 0), "left"), Seen("a", box(0, 40), "right")], never) == [
        1,
        2,
    ]
    assert linker.step([Seen("a", box(1, 41)), Seen("a", box(0, 1))], never) == [2, 1]
    for _ in range(5):
        linker.step([], never)
    assert linker.step([Seen("a", box(40, 40), "left")], never) == [1]
    assert linker.step([Seen("a", box(0, 0), "x"), Seen("a", box(9, 9), "x")], never) == [3, 3]


def test_far_things_are_new_unless_told_to_keep() -> None:
    def pixels() -> np.ndarray:
        return np.full((*SIZE, 3), 90, np.uint8)

    near, far = Seen("a", box(0, 0)), Seen("a", box(45, 60))
    for keep, expected in ((False, 2), (True, 1)):
        linker = Linker(LinkRules(keep=keep))
        linker.step([near], pixels)
        assert linker.step([far], pixels) == [expected]


def test_a_thing_in_view_goes_on_and_the_other_returns() -> None:
    """Two of a class; one leaves, the other moves near the place of the first: it keeps its own
    name."""

    def pixels() -> np.ndarray:
        return np.full((*SIZE, 3), 90, np.uint8)

    linker = Linker(RETURNING)
    assert linker.step([Seen("a", box(20, 5, 20, 20)), Seen("a", box(20, 50, 20, 20))], pixels) == [
        1,
        2,
    ]
    for left in (42, 34, 28, 22):
        assert linker.step([Seen("a", box(20, left, 20, 20))], pixels) == [2]
    assert linker.step(
        [Seen("a", box(20, 20, 20, 20)), Seen("a", box(20, 58, 20, 20))], pixels
    ) == [2, 1]


REGIONS = st.lists(
    st.tuples(
        st.sampled_from("ab"),
        st.integers(0, 48),
        st.integers(0, 68),
        st.integers(2, 12),
        st.integers(2, 12),
    ),
    max_size=4,
    unique=True,
)
FRAMES = st.lists(REGIONS, min_size=1, max_size=5)


def run(frames: list, rules: LinkRules, order: int = 1) -> list[dict[tuple, int]]:
    linker = Linker(rules)
    rng = np.random.default_rng(0)
    image = rng.integers(0, 256, (*SIZE, 3)).astype(np.uint8)
    found = []
    for frame in frames:
        listed = frame[::order]
        names = linker.step([Seen(label, box(*where)) for label, *where in listed], lambda: image)
        found.append(dict(zip(listed, names, strict=True)))
    return found


@settings(deadline=None, max_examples=80)
@given(FRAMES, st.booleans())
def test_rules_hold_for_any_regions(frames: list, keep: bool) -> None:
    """No track twice in a frame; no track of two classes; numbers from 1 without gaps; order of
    listing is no matter; with ``keep`` there are as many tracks as were seen at once."""
    rules = LinkRules(max_gap=100, keep=keep)
    found = run(frames, rules)
    owner: dict[int, str] = {}
    for frame in found:
        assert len(set(frame.values())) == len(frame)
        for (label, *_), name in frame.items():
            assert owner.setdefault(name, label) == label
    assert sorted(owner) == list(range(1, len(owner) + 1))
    assert run(frames, rules, order=-1) == found
    if keep:
        for label in "ab":
            most = max(sum(key[0] == label for key in frame) for frame in found)
            assert list(owner.values()).count(label) == most


@settings(deadline=None, max_examples=40)
@given(st.lists(st.tuples(st.integers(-2, 2), st.integers(-2, 2)), min_size=1, max_size=8))
def test_slow_disjoint_things_keep_their_names(moves: list[tuple[int, int]]) -> None:
    linker = Linker()
    tops, lefts = np.array([20, 20]), np.array([8, 52])
    for down, right in moves:
        tops, lefts = np.clip(tops + down, 0, 40), np.clip(lefts + right, [0, 40], [20, 60])
        seen = [Seen("a", box(int(t), int(x), 20, 20)) for t, x in zip(tops, lefts, strict=True)]
        assert linker.step(seen, never) == [1, 2]
