"""Names that a whole track votes for."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sam2s.export.class_votes import ClassVotes, SeenClass, VotedClass


def voted(*frames: tuple[str, float, float]) -> VotedClass | None:
    votes = ClassVotes()
    for frame in frames:
        votes = votes.with_frame({7: SeenClass(*frame)})
    return votes.named().get(7)


def test_by_hand():
    # 0.9 + 0.8 of three frames for the grasper, 0.95 of three for the snare
    frames = [("grasper", 0.9, 1.0), ("snare", 0.95, 1.0), ("grasper", 0.8, 1.0)]
    assert voted(*frames) == VotedClass("grasper", pytest.approx(1.7 / 3, abs=1e-6))


def test_a_frame_counts_as_much_as_the_object_is_there():
    assert voted(("grasper", 0.6, 1.0), ("snare", 1.0, 0.1)) == VotedClass(
        "grasper", pytest.approx(0.6 / 1.1, abs=1e-6)
    )
    assert voted(("grasper", 1.0, 0.0)) is None


def test_a_model_that_is_not_sure_names_nothing():
    assert voted(("grasper", 0.4, 1.0), ("grasper", 0.5, 1.0)) is None
    assert voted(("grasper", 0.9, 1.0), ("snare", 0.9, 1.0)) is None
    assert voted() is None


SEEN = st.builds(
    SeenClass,
    st.sampled_from(["grasper", "snare", "thread"]),
    st.floats(0, 1),
    st.floats(0, 1),
)


@given(st.lists(st.dictionaries(st.integers(1, 3), SEEN), max_size=20))
def test_one_name_with_a_probability_and_no_state(frames: list[dict[int, SeenClass]]):
    votes = ClassVotes()
    for frame in frames:
        before = votes.named()
        after = votes.with_frame(frame)
        assert votes.named() == before, "votes so far do not change"
        votes = after
    for object_id, one in votes.named().items():
        said = [frame[object_id] for frame in frames if object_id in frame]
        assert one.class_name in {seen.name for seen in said}
        assert 0.5 <= one.class_prob <= 1
