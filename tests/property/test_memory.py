"""The bounded bank selects what an ever-growing dict selects; DiveMem keeps its stated rule under
any sequence."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st

from sam2s.memory.bank import Bank
from sam2s.memory.diverse import Diverse
from sam2s.memory.policy import Policy
from sam2s.memory.recent import Recent
from sam2s.types import CONDITIONING_SLOT, LONG_TERM_SLOT, Memory, Origin


def memory(
    time: int,
    origin: Origin = Origin.TRACKED,
    *,
    iou: float = 0.99,
    logit: float = 5.0,
    seed: int | None = None,
):
    generator = torch.Generator().manual_seed(time if seed is None else seed)
    feature = torch.randn(4, 2, 2, generator=generator)
    return Memory(time, origin, torch.zeros(1), torch.zeros(1), logit, iou, feature)


def brute_force(seen: dict[int, Origin], now: int, sign: int, stride: int, horizon: int = 16):
    """SAM 2's look-up over a dict of every frame so far, written by frame index with its own
    reverse formula."""
    frame = sign * now
    maps = [
        (sign * t, CONDITIONING_SLOT) for t, origin in seen.items() if origin is Origin.PROMPTED
    ]
    for relative in range(1, 7):
        if relative == 1:
            wanted = frame - sign
        elif sign > 0:
            wanted = (frame - 2) // stride * stride - (relative - 2) * stride
        else:
            wanted = -(-(frame + 2) // stride) * stride + (relative - 2) * stride
        if seen.get(wanted) is Origin.TRACKED:
            maps.append((sign * wanted, relative - 1))
    pointers = [
        (sign * t, sign * (frame - t))
        for t, origin in seen.items()
        if origin is Origin.PROMPTED and sign * (frame - t) >= 0
    ]
    for age in range(1, horizon):
        if seen.get(frame - sign * age) is Origin.TRACKED:
            pointers.append((sign * (frame - sign * age), age))
    return sorted(maps), sorted(pointers)


@settings(deadline=None, max_examples=150)
@given(
    length=st.integers(2, 70),
    stride=st.integers(1, 8),
    sign=st.sampled_from([1, -1]),
    prompted=st.sets(st.integers(0, 69), min_size=0, max_size=4),
    offset=st.integers(0, 11),
)
def test_recent_selects_what_the_dict_of_every_frame_selects(
    length, stride, sign, prompted, offset
):
    policy, bank, seen = Recent(stride=stride), Bank(), {}
    frames = [offset + i if sign > 0 else offset + length - 1 - i for i in range(length)]
    for position, frame in enumerate(frames):
        now = sign * frame
        recalled = policy.select(bank, now)
        maps, pointers = brute_force(seen, now, sign, stride)
        assert sorted((m.time, slot) for m, slot in recalled.maps) == maps
        assert sorted((m.time, age) for m, age in recalled.pointers) == pointers
        origin = Origin.PROMPTED if position == 0 or position in prompted else Origin.TRACKED
        seen[frame] = origin
        bank = policy.admit(bank, memory(now, origin))
        assert len(bank.tracked) <= 21
    assert not policy.needs.descriptors


@settings(deadline=None, max_examples=50)
@given(correct=st.integers(3, 20), ahead=st.integers(21, 40))
def test_prompted_memory_may_lie_in_the_future(correct, ahead):
    policy, bank = Recent(), Bank()
    bank = policy.admit(bank, memory(ahead, Origin.PROMPTED))
    bank = policy.admit(bank, memory(0, Origin.PROMPTED))
    recalled = policy.select(bank, correct)
    assert {m.time for m, _ in recalled.maps} == {0, ahead}
    assert [m.time for m, _ in recalled.pointers] == [0]
    future = Recent(future_pointers=True).select(bank, correct)
    assert {(m.time, age) for m, age in future.pointers} == {(0, correct), (ahead, correct - ahead)}


quality = st.tuples(st.floats(0, 1), st.floats(-3, 3), st.booleans())


@settings(deadline=None, max_examples=150)
@given(
    frames=st.lists(quality, min_size=1, max_size=80),
    size=st.integers(1, 5),
    delta=st.integers(1, 6),
    threshold=st.sampled_from([0.2, 0.5, 0.95]),
    pooled=st.booleans(),
)
def test_diverse_keeps_its_rule(frames, size, delta, threshold, pooled):
    policy = Diverse(iou_threshold=threshold, candidates=delta, long_term=size, pooled=pooled)
    bank = policy.admit(Bank(), memory(0, Origin.PROMPTED))
    run: list[Memory] = []
    queue: list[int] = []
    newest = memory(0)
    for time, (iou, logit, correction) in enumerate(frames, start=1):
        correction = correction and time % 17 == 0
        new = memory(
            time,
            Origin.PROMPTED if correction else Origin.TRACKED,
            iou=iou,
            logit=logit,
        )
        bank = policy.admit(bank, new)
        # The rule once more, from its words: runs of passing frames, the least similar of each full
        # run.
        if correction:
            run, newest = [], new
        elif logit > 0 and iou > threshold:
            run.append(new)
            if len(run) == delta:
                best = min(run, key=lambda m: (similarity(m, newest, pooled), m.time))
                queue, run, newest = [*queue, best.time][max(0, len(queue) + 2 - size) :], [], best
                queue = queue if size > 1 else []
        else:
            run = []
        assert all(m.descriptor is None for m in bank.tracked)
        assert [m.time for m in bank.state.candidates] == [m.time for m in run]
        assert [m.time for m in bank.state.long_term] == queue
        assert len(bank.state.long_term) <= size - 1
        assert bank.prompted[0].time == 0
        if size == 1:
            newest = bank.prompted[-1]


def similarity(a: Memory, b: Memory, pooled: bool) -> float:
    x, y = (m.descriptor.mean((-2, -1)) if pooled else m.descriptor.flatten() for m in (a, b))
    return float(F.cosine_similarity(x, y, dim=0))


@settings(deadline=None, max_examples=40)
@given(good=st.lists(st.booleans(), min_size=1, max_size=60))
def test_diverse_reads_recent_memory_like_sam2_and_adds_the_queue(good):
    diverse, recent = Diverse(), Recent()
    ours, theirs = (p.admit(Bank(), memory(0, Origin.PROMPTED)) for p in (diverse, recent))
    for time, passes in enumerate(good, start=1):
        new = memory(time, iou=0.99 if passes else 0.1, logit=5.0 if passes else -5.0)
        ours, theirs = diverse.admit(ours, new), recent.admit(theirs, new)
        mine, base = diverse.select(ours, time + 1), recent.select(theirs, time + 1)
        short = [(m.time, slot) for m, slot in mine.maps if slot != LONG_TERM_SLOT]
        assert short == [(m.time, slot) for m, slot in base.maps]
        assert [m.time for m, slot in mine.maps if slot == LONG_TERM_SLOT] == [
            m.time for m in ours.state.long_term
        ]
        assert fits(diverse, mine)


def fits(policy: Policy, recalled) -> bool:
    return (
        len(recalled.maps) <= policy.capacity.maps
        and len(recalled.pointers) <= policy.capacity.pointers
    )
