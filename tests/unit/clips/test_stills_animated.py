"""Stills made into clips: masks follow pictures, what is pasted hides what is below, and everything
repeats."""

from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from scipy import ndimage

from sam2s.clips.stills.animate import Still, StillClip, StillConfig, animate, draw_pieces
from sam2s.clips.stills.extended import extend, extend_still, fill
from sam2s.clips.stills.paste import CutOut, cut_out, fold
from sam2s.clips.stills.warp import (
    Bend,
    Episode,
    View,
    draw_bend,
    draw_episode,
    draw_path,
    view_map,
)
from sam2s.masklets.catalogue import ObjectInfo

SIZE = 64
TOOL, POLYP = ObjectInfo("grasper", "instrument"), ObjectInfo("polyp", "tissue")
DULL = StillConfig(light=0.0, tint=0.0, grain=0.0, folds=0.0, shadow=0.0)
RIGID = replace(
    DULL, bend=0.0, pan=0.0, zooming=0.0, roll=0.0, zoom=(1.0, 1.0), overshoot=0.0, absence=0.0
)


def disc(centre: tuple[float, float], radius: float, side: int = 96) -> np.ndarray:
    y, x = (np.mgrid[:side, :side] + 0.5) / side
    return np.asarray((x - centre[0]) ** 2 + (y - centre[1]) ** 2 < radius**2)


def lit_still(
    mask: np.ndarray, info: ObjectInfo = POLYP, shades: tuple[int, int] = (90, 230)
) -> Still:
    """A picture that is its own mask: bright object on grey."""
    image = np.where(mask, shades[1], shades[0]).astype(np.uint8)
    return Still("still", np.repeat(image[..., None], 3, -1), mask[None], (info,))


def shaft(side: int = 96) -> np.ndarray:
    """A tool from the left border to the middle."""
    mask = np.zeros((side, side), bool)
    mask[side // 2 - 6 : side // 2 + 6, : side // 2] = True
    return mask


def edges(masks: np.ndarray, width: int, *, cut: bool = False) -> np.ndarray:
    """Pixels of (T, S, S) bool within ``width`` of a border between inside and outside.

    ``cut``: a thing may also end just at the picture's border, so what is near that counts as well.
    """
    near = np.ones((1, 2 * width + 1, 2 * width + 1), bool)
    grown = ndimage.binary_dilation(masks, near)
    return np.asarray(grown & ~ndimage.binary_erosion(masks, near, border_value=0 if cut else 1))


def clip_of(
    seed: int, config: StillConfig, donors: list[Still] | None = None, frames: int = 8
) -> StillClip:
    rng = np.random.default_rng(seed)
    still = lit_still(disc((rng.uniform(0.2, 0.8), rng.uniform(0.2, 0.8)), rng.uniform(0.1, 0.25)))
    pieces = draw_pieces(donors or [], [], None, SIZE, rng)
    return animate(still, pieces, tuple(range(0, 3 * frames, 3)), SIZE, config, rng)


@settings(deadline=None, max_examples=25)
@given(st.integers(0, 10_000))
@example(504)
@example(1126)
def test_masks_follow_the_picture(seed: int) -> None:
    clip = clip_of(seed, replace(DULL, absence=0.5))
    wrong = (clip.images[..., 0] >= 160) != clip.masks[:, 0]
    assert wrong.mean() < 0.003
    assert not (wrong & ~edges(clip.masks[:, 0], 1)).any()


@settings(deadline=None, max_examples=15)
@given(st.integers(0, 10_000), st.booleans())
def test_a_clip_repeats(seed: int, diverse: bool) -> None:
    donors = [lit_still(shaft(), TOOL)]
    one, two = (clip_of(seed, StillConfig(), donors) for _ in range(2))
    assert np.array_equal(one.images, two.images)
    assert np.array_equal(one.masks, two.masks)
    assert (one.infos, one.leaving) == (two.infos, two.leaving)


def test_nothing_moves_what_is_to_rest() -> None:
    still = lit_still(disc((0.5, 0.5), 0.2, SIZE))
    clip = animate(still, [], (0, 5, 9), SIZE, RIGID, np.random.default_rng(0))
    assert all(np.array_equal(clip.masks[0], masks) for masks in clip.masks[1:])
    assert all(np.array_equal(clip.images[0], image) for image in clip.images[1:])
    assert clip.masks[0, 0].mean() == pytest.approx(still.masks.mean(), rel=0.05)
    assert clip.leaving is None


@settings(deadline=None, max_examples=20)
@given(st.integers(0, 10_000))
@example(5153)
@example(323)
def test_what_is_pasted_hides_what_is_below(seed: int) -> None:
    donors = [lit_still(shaft(), TOOL, (90, 20)), lit_still(disc((0.5, 0.5), 0.15), TOOL, (90, 20))]
    clip = clip_of(seed, replace(DULL, visits=0.0), donors)
    assert clip.infos == (POLYP, TOOL, TOOL)
    assert (clip.masks.sum(axis=1) <= 1).all()
    # A soft border seen at the picture's edge has shades between 20 (pasted) and 90 (ground): only
    # clear ones count.
    dark, light = clip.images[..., 0] < 45, clip.images[..., 0] > 65
    pasted = clip.masks[:, 1:].any(axis=1)
    borders = edges(clip.masks[:, 1], 2, cut=True) | edges(clip.masks[:, 2], 2, cut=True)
    assert not (((dark & ~pasted) | (light & pasted)) & ~borders).any()
    assert not (clip.masks[:, 0] & dark & ~borders).any()


def test_source_masks_that_overlap_go_on_overlapping() -> None:
    masks = np.stack([disc((0.5, 0.5), 0.2), disc((0.5, 0.5), 0.1)])
    still = Still("two", np.full((96, 96, 3), 120, np.uint8), masks, (POLYP, POLYP))
    clip = animate(still, [], (0, 3), SIZE, replace(DULL, absence=0.0), np.random.default_rng(3))
    assert (clip.masks[:, 1] <= clip.masks[:, 0]).all()
    assert clip.masks[:, 1].any()


def test_objects_leave_and_return() -> None:
    config = replace(StillConfig(), absence=1.0, visits=0.0)
    gone = returned = 0
    for seed in range(40):
        clip = clip_of(seed, config, [lit_still(shaft(), TOOL)] if seed % 2 else None)
        assert clip.leaving is not None
        seen = clip.masks[:, clip.leaving].any(axis=(1, 2))
        gone += not seen.all()
        returned += not seen.all() and bool(seen[-1])
    assert gone >= 36
    assert returned >= 30


def test_without_absences_objects_stay() -> None:
    config = replace(StillConfig(), absence=0.0)
    seen = np.concatenate(
        [clip_of(seed, config).masks[:, 0].any(axis=(1, 2)) for seed in range(40)]
    )
    assert seen.mean() > 0.97


def test_motion_is_smooth_but_not_still() -> None:
    config = replace(StillConfig(), absence=0.0)
    overlaps = []
    for seed in range(40):
        masks = clip_of(seed, config).masks[:, 0]
        for a, b in itertools.pairwise(masks):
            if a.any() and b.any():
                overlaps.append((a & b).sum() / (a | b).sum())
    assert 0.75 < np.mean(overlaps) < 0.96
    assert np.mean(np.array(overlaps) < 0.3) < 0.02


@settings(deadline=None, max_examples=40)
@given(st.integers(0, 10_000))
def test_however_far_the_camera_goes_it_shows_the_still(seed: int) -> None:
    """A still that is one object to its borders fills most of every view, jumps and changes of
    scale included."""
    far = replace(
        DULL,
        absence=0.0,
        bend=0.0,
        roll=0.0,
        pan=0.8,
        zooming=1.5,
        periods=(5.0, 20.0),
        overshoot=0.0,
    )
    rng = np.random.default_rng(seed)
    whole = np.zeros((96, 96), bool)
    whole[2:-2, 2:-2] = True
    clip = animate(lit_still(whole), [], tuple(range(0, 40, 5)), SIZE, far, rng)
    assert clip.masks.mean(axis=(1, 2, 3)).min() > 0.6


def test_the_camera_can_come_close() -> None:
    """Between the frames of a clip an object's side changes by a factor of two and more in many
    clips."""
    config = replace(DULL, absence=0.0, zooming=1.0, pan=0.0, zoom=(1.1, 2.4), periods=(10.0, 60.0))
    ratios = []
    for seed in range(30):
        areas = clip_of(seed, config).masks[:, 0].sum(axis=(1, 2))
        ratios.append(np.sqrt(areas.max() / max(1, areas.min())))
    assert np.median(ratios) > 1.4
    assert max(ratios) > 2


def test_a_still_of_several_frames_keeps_its_light_within_reason() -> None:
    clip = clip_of(4, StillConfig())
    means = clip.images.mean(axis=(1, 2, 3))
    assert 40 < means.min() < means.max() < 220
    assert clip.images.std(axis=0).mean() > 1


def test_tissue_sticks_to_the_scene() -> None:
    """A pasted polyp is seen through the same camera as the still's own object: both move by the
    same pixels."""
    config = replace(DULL, bend=0.0, zooming=0.0, roll=0.0, zoom=(1.3, 1.3), absence=0.0, pan=0.3)
    moves = []
    for seed in range(30):
        clip = clip_of(seed, config, [lit_still(disc((0.5, 0.5), 0.05), POLYP)])
        inner = np.zeros((SIZE, SIZE), bool)
        inner[1:-1, 1:-1] = True
        for plane in clip.masks.transpose(1, 0, 2, 3):
            if (
                not plane.any(axis=(1, 2)).all()
                or (plane & ~inner).any()
                or (clip.masks.sum(axis=1) > 1).any()
            ):
                break
        else:
            middles = [
                [np.argwhere(mask).mean(axis=0) for mask in plane]
                for plane in clip.masks.transpose(1, 0, 2, 3)
            ]
            moves.append(np.diff(np.array(middles), axis=1))
    assert len(moves) >= 3
    # The pasted one may hide part of the other, which shifts its middle.
    assert np.median([np.abs(own - pasted).max() for own, pasted in moves]) < 0.5
    assert max(np.abs(move).max() for move in moves) > 1


def test_twins_beyond_the_border_are_not_shown_unlabelled() -> None:
    mask = disc((0.15, 0.5), 0.1)
    scene = extend_still(lit_still(mask).image, mask[None], SIZE, np.random.default_rng(0))
    bright = scene.picture[..., 0] > 160
    assert (
        not (bright & (scene.masks[..., 0] == 0)).any(axis=None)
        or (bright & (scene.masks[..., 0] == 0)).mean() < 2e-3
    )
    assert bright.mean() == pytest.approx((scene.masks[..., 0] > 0).mean(), abs=2e-3)
    low, high = scene.extent(0)
    assert np.allclose(low, (0.05, 0.4), atol=0.03)
    assert np.allclose(high, (0.25, 0.6), atol=0.03)


def test_an_object_at_the_border_goes_on_beyond_it_with_its_label() -> None:
    mask = shaft()
    scene = extend_still(lit_still(mask).image, mask[None], SIZE, np.random.default_rng(0))
    assert scene.extent(0)[0, 0] < -0.2
    assert ((scene.picture[..., 0] > 160) != (scene.masks[..., 0] >= 128)).mean() < 3e-3


def test_the_surround_stays_and_hides() -> None:
    inside = disc((0.5, 0.5), 0.45)
    mask = disc((0.5, 0.3), 0.15)
    image = np.where(mask, 230, np.where(inside, 100, 3)).astype(np.uint8)
    still = Still("round", np.repeat(image[..., None], 3, -1), mask[None], (POLYP,))
    clip = animate(
        still,
        [],
        tuple(range(0, 40, 5)),
        SIZE,
        replace(StillConfig(), absence=0.0, grain=0.0),
        np.random.default_rng(2),
    )
    outside = ~disc((0.5, 0.5), 0.48, SIZE)
    assert clip.images[:, outside].max() < 5
    assert not clip.masks[:, 0, outside].any()
    assert clip.images[:, disc((0.5, 0.5), 0.38, SIZE)].min() > 20


def test_dark_tissue_is_no_surround() -> None:
    mask = disc((0.5, 0.5), 0.2)
    image = np.full((96, 96, 3), 120, np.uint8)
    image[60:, 30:70] = 5
    scene = extend_still(image, mask[None], SIZE, np.random.default_rng(0))
    assert scene.surround is None


@pytest.mark.parametrize("alone", [True, False])
def test_an_object_that_vanishes_in_the_resized_still_is_only_never_seen(alone: bool) -> None:
    speck = np.zeros((960, 960), bool)
    speck[480, 480] = True
    polyp = disc((0.4, 0.5), 0.2, 960)
    masks = speck[None] if alone else np.stack([speck, polyp])
    still = Still("s", np.full((960, 960, 3), 90, np.uint8), masks, (POLYP,) * len(masks))
    scene = extend_still(still.image, still.masks, SIZE, np.random.default_rng(0))
    assert scene.seen() == ([] if alone else [1])
    for seed in range(4):
        rng = np.random.default_rng(seed)
        made = animate(still, [], (0, 5, 9), SIZE, replace(StillConfig(), absence=1.0), rng)
        assert not made.masks[:, 0].any()
        assert alone or made.masks[0, 1].any()


def test_cut_outs_know_how_they_leave() -> None:
    rng = np.random.default_rng(0)
    still = lit_still(shaft(), TOOL)
    piece = cut_out(still.image, shaft(), TOOL, 80, rng)
    assert piece is not None
    assert not piece.free
    assert piece.reach == pytest.approx(0.5, abs=0.05)
    assert np.abs(piece.outward).sum() == 1
    assert np.allclose(np.abs(piece.pivot - 0.5).max(), 0.5, atol=0.02)
    spanning = np.zeros((96, 96), bool)
    spanning[40:50] = True
    assert cut_out(still.image, spanning, TOOL, 80, rng) is None
    loose = cut_out(still.image, disc((0.4, 0.6), 0.1), TOOL, 80, rng)
    assert loose is not None
    assert loose.free
    assert not loose.sticks
    assert loose.reach == pytest.approx(0.1, abs=0.02)


@settings(deadline=None, max_examples=40)
@given(st.integers(0, 10_000))
def test_cut_ends_stay_out_of_sight(seed: int) -> None:
    """However a shaft moves, what is seen of it reaches the border of the view."""
    clip = clip_of(seed, replace(DULL, visits=0.5), [lit_still(shaft(), TOOL)])
    for mask in clip.masks[:, 1]:
        if mask.any():
            assert mask[[0, -1]].any() or mask[:, [0, -1]].any()


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 10_000))
def test_folds_hang_in_from_one_side(seed: int) -> None:
    piece: CutOut = fold(np.full((50, 60, 3), 120, np.uint8), 40, np.random.default_rng(seed))
    assert piece.info is None
    assert not piece.free
    covered = piece.rgba[..., 3] > 127
    edges = [covered[0], covered[-1], covered[:, 0], covered[:, -1]]
    side = {(0, -1): 0, (0, 1): 1, (-1, 0): 2, (1, 0): 3}[tuple(piece.outward.astype(int).tolist())]
    assert edges[side].any()


def test_a_fold_occludes_and_is_no_object() -> None:
    rng = np.random.default_rng(1)
    still = lit_still(disc((0.5, 0.5), 0.3))
    pieces = draw_pieces([], [], np.full((50, 50, 3), 20, np.uint8), SIZE, rng)
    clip = animate(still, pieces, tuple(range(6)), SIZE, replace(RIGID, visits=0.0), rng)
    assert clip.masks.shape[1] == len(clip.infos) == 1
    assert (clip.images < 60).any()


def test_fill_continues_what_is_around() -> None:
    ramp = np.repeat(np.tile(np.linspace(60, 200, 80).astype(np.uint8), (80, 1))[..., None], 3, -1)
    hole = disc((0.5, 0.5), 0.2, 80)
    damaged = ramp.copy()
    damaged[hole] = 0
    filled = fill(damaged, hole)
    assert np.array_equal(filled[~hole], ramp[~hole])
    assert np.abs(filled[hole].astype(int) - ramp[hole]).max() < 40
    everything = np.ones_like(hole)
    assert np.array_equal(fill(damaged, everything), damaged)
    assert np.abs(extend(damaged, ~hole)[40, 25:28].astype(int) - ramp[40, 25:28]).max() < 20


@settings(deadline=None, max_examples=50)
@given(st.integers(0, 10_000), st.floats(0, 200))
def test_paths_stay_within_their_spread_and_are_smooth(seed: int, time: float) -> None:
    path = draw_path((0.2, 0.0, 1.0), (20.0, 90.0), np.random.default_rng(seed))
    here, soon = path.at(time), path.at(time + 1)
    assert (np.abs(here) <= np.array([0.2, 0.0, 1.0]) + 1e-9).all()
    assert (np.abs(soon - here) <= np.array([0.2, 0.0, 1.0]) * 2 * np.pi / 20 + 1e-9).all()


@settings(deadline=None, max_examples=80)
@given(st.integers(0, 10_000), st.sets(st.integers(0, 63), min_size=2, max_size=8))
def test_episodes_spare_the_first_frame_and_take_another(seed: int, times: set[int]) -> None:
    rng = np.random.default_rng(seed)
    order = tuple(rng.permutation(sorted(times)).tolist())
    episode = draw_episode(order, rng)
    assert episode.at(order[0]) == 0
    assert max(episode.at(time) for time in order) == 1


@settings(deadline=None, max_examples=80)
@given(st.integers(0, 10_000), st.sets(st.integers(0, 63), min_size=2, max_size=8))
def test_what_is_gone_does_not_return(seed: int, times: set[int]) -> None:
    rng = np.random.default_rng(seed)
    order = tuple(rng.permutation(sorted(times)).tolist())
    episode = draw_episode(order, rng, gone=1.0)
    first = order[0]
    assert episode.at(first) == 0
    # On one side of the first frame it is away from some frame on, to the end.
    sides = [sorted(t for t in times if t > first), sorted(t for t in times if t < first)[::-1]]
    away = [[episode.at(t) for t in side] for side in sides]
    assert any(side and side[-1] == 1 for side in away)
    for side in away:
        assert side == sorted(side)


def test_an_episode_ramps_smoothly() -> None:
    episode = Episode(10.0, 2.0, 4.0)
    values = [episode.at(t) for t in np.arange(0, 21, 0.5)]
    assert values[0] == values[-1] == 0
    assert max(np.abs(np.diff(values))) < 0.2
    assert episode.at(8) == episode.at(12) == 1


def test_the_whole_view_is_the_identity() -> None:
    still = Bend(
        np.zeros((1, 2)),
        np.zeros((1, 2)),
        draw_path((0.0,), (20.0, 90.0), np.random.default_rng(0)),
    )
    where = view_map(View(np.array([0.5, 0.5]), 1.0, 0.0), still, 0.0, 10)
    assert np.allclose(where[3, 7], (0.75, 0.35), atol=1e-6)


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 10_000), st.floats(0, 100))
def test_bends_never_fold(seed: int, time: float) -> None:
    """The map's Jacobian stays positive at the default strength, so that no tissue is seen
    twice."""
    bend = draw_bend(StillConfig().bend, (20.0, 90.0), np.random.default_rng(seed))
    where = view_map(View(np.array([0.5, 0.5]), 1.0, 0.0), bend, time, 48).astype(float)
    across, down = np.diff(where, axis=1)[:-1], np.diff(where, axis=0)[:, :-1]
    assert (across[..., 0] * down[..., 1] - across[..., 1] * down[..., 0] > 0).all()
