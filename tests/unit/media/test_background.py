from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from sam2s.masklets.masks import read_binary_mask
from sam2s.masklets.png_bits import encode_bits
from sam2s.media.background import Background, in_windows, prefetched


def test_jobs_keep_their_order_and_are_done_on_leaving() -> None:
    done: list[int] = []
    with Background(backlog=2) as background:
        for i in range(20):
            background.run(lambda i: (time.sleep(0.001), done.append(i)), i)
    assert done == list(range(20))


def test_backlog_is_bounded() -> None:
    started, go = [], threading.Event()

    def job(i: int) -> None:
        go.wait(5)
        started.append(i)

    with Background(backlog=2) as background:
        background.run(job, 0)
        background.run(job, 1)
        late = threading.Thread(target=background.run, args=(job, 2))
        late.start()
        late.join(0.05)
        assert late.is_alive()
        go.set()
        late.join(5)
    assert started == [0, 1, 2]


def fail() -> None:
    raise ValueError("job")


def in_background(jobs: int, backlog: int = 4, error: BaseException | None = None) -> None:
    with Background(backlog) as background:
        for _ in range(jobs):
            background.run(fail)
        if error is not None:
            raise error


def test_errors_come_back() -> None:
    with pytest.raises(ValueError, match="job"):
        in_background(1)
    with pytest.raises(ValueError, match="job"):
        in_background(2, backlog=1, error=KeyError())
    with pytest.raises(KeyError):
        in_background(1, error=KeyError())


@settings(deadline=None, max_examples=30)
@given(st.lists(st.integers(), max_size=9), st.integers(0, 4), st.integers(1, 3))
def test_prefetched_is_map(items: list[int], ahead: int, threads: int) -> None:
    assert list(prefetched(items, lambda i: i * 2, ahead, threads)) == [(i, i * 2) for i in items]


def test_prefetched_gives_what_came_before_its_items_broke() -> None:
    def items() -> Iterator[int]:
        yield from range(5)
        raise KeyError("broken")

    seen = []
    with pytest.raises(KeyError):
        seen.extend(item for item, _ in prefetched(items(), str, 3))
    assert seen == [*range(5)]


def test_prefetched_raises_at_its_item_and_stops_when_left() -> None:
    worked: list[int] = []

    def work(i: int) -> int:
        worked.append(i)
        return 6 // (3 - i)

    seen = []
    with pytest.raises(ZeroDivisionError):
        seen.extend(prefetched(range(9), work))
    assert seen == [(0, 2), (1, 3), (2, 6)]
    assert max(worked) <= 6
    for item, _ in prefetched(range(9), str):
        if item == 1:
            break


@settings(deadline=None, max_examples=60)
@given(arrays(bool, st.tuples(st.integers(1, 20), st.integers(1, 20))))
def test_bits_round_trip(tmp_path_factory: pytest.TempPathFactory, mask: np.ndarray) -> None:
    path = tmp_path_factory.mktemp("bits") / "mask.png"
    path.write_bytes(encode_bits(mask))
    np.testing.assert_array_equal(read_binary_mask(path), mask)


def test_windows_keep_what_came_before_an_error():
    def items():
        yield from range(5)
        raise ValueError("broke")

    windows, seen = in_windows(items(), 2), []
    with pytest.raises(ValueError, match="broke"):
        seen.extend(windows)
    assert seen == [(0, 1), (2, 3), (4,)]
    assert list(in_windows(range(4), 2)) == [(0, 1), (2, 3)]
    assert list(in_windows([], 2)) == []
