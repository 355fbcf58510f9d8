"""What must hold of J and F for any two masks."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from sam2s.metrics import boundary_f, jaccard, score_frame

sizes = st.tuples(st.integers(1, 40), st.integers(1, 40))
pairs = sizes.flatmap(lambda size: st.tuples(arrays(bool, size), arrays(bool, size)))
Pair = tuple[np.ndarray, np.ndarray]
rule = settings(deadline=None, max_examples=80)


@given(pairs)
@rule
def test_bounded_and_symmetric(pair: Pair) -> None:
    a, b = pair
    one, other = score_frame(a, b), score_frame(b, a)
    assert one == other
    assert 0 <= one.j <= 1
    assert 0 <= one.f <= 1


@given(pairs)
@rule
def test_a_mask_is_itself(pair: Pair) -> None:
    score = score_frame(pair[0], pair[0].copy())
    assert (score.j, score.f) == (1.0, 1.0)


@given(pairs)
@rule
def test_j_is_one_only_for_equal_masks(pair: Pair) -> None:
    assert (jaccard(*pair) == 1.0) == np.array_equal(*pair)


@given(pairs, st.integers(1, 3))
@rule
def test_a_larger_tolerance_never_lowers_f(pair: Pair, radius: int) -> None:
    assert boundary_f(*pair, bound_th=radius + 1) >= boundary_f(*pair, bound_th=radius) - 1e-12


@given(pairs, st.integers(0, 9), st.integers(0, 9))
@rule
def test_f_depends_on_the_place_only_through_the_border(pair: Pair, dy: int, dx: int) -> None:
    """Masks inside a wide empty margin score the same wherever they lie (same picture size, so same
    tolerance)."""
    placed = [
        [np.pad(m, ((y, 20 - y), (x, 20 - x))) for m in pair] for y, x in ((1, 1), (1 + dy, 1 + dx))
    ]
    assert boundary_f(*placed[0]) == boundary_f(*placed[1])
