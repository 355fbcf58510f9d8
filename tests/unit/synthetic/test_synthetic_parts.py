"""The pieces scenes are made of: noise, sprites, designs, tools, tissue, tube, effects."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from sam2s.errors import InputError
from sam2s.masklets.vocabulary import kind_of
from sam2s.opencv import cv2
from sam2s.synthetic.camera import plan_camera, share_in_view, view_matrix
from sam2s.synthetic.curves import Event, stay
from sam2s.synthetic.designs import DESIGNS, make_design
from sam2s.synthetic.effects import (
    MOST_HAZE,
    add_drops,
    add_haze,
    develop,
    make_disturbances,
    withdraw,
)
from sam2s.synthetic.lens import make_lens
from sam2s.synthetic.noise import fbm, lobules, ridged, smoothstep, streaks
from sam2s.synthetic.procedures import PROCEDURES
from sam2s.synthetic.scenery import paint_scenery
from sam2s.synthetic.spec import SceneSpec
from sam2s.synthetic.sprites import SurfaceLook, bake, draw, part_matrix
from sam2s.synthetic.tissue import make_tissue
from sam2s.synthetic.tools import Tool, ToolPlan, make_tool
from sam2s.synthetic.tunnel import Tube, join_ends, lookup, march, random_wall
from sam2s.synthetic.world import World, random_grade

SPEC = SceneSpec(seed=5, procedure="cholecystectomy", frames=60, size=(96, 96))
LOOK = SurfaceLook(np.array([0.0, -0.4, 0.9]), 0.3, np.array([1.0, 0.8, 0.7]), 1.0)


def rng_of(*key: int) -> np.random.Generator:
    return np.random.default_rng(key)


def small_world(procedure: str, seed: int = 0, size: int = 96) -> tuple[World, dict[int, str]]:
    rng = rng_of(seed)
    side = int(1.9 * size)
    return paint_scenery(rng, PROCEDURES[procedure], (side, side), float(size), random_grade(rng))


def tool_of(
    class_name: str, spec: SceneSpec = SPEC, seed: int = 0, absences: tuple = (), behind: tuple = ()
) -> Tool:
    rng = rng_of(seed, 9)
    return make_tool(
        rng, spec, make_design(class_name, rng), ToolPlan(7, class_name, absences, 1, behind), LOOK
    )


# --------------------------------------------------------------------------- noise


@pytest.mark.parametrize(
    "field", [lambda r: fbm(r, (64, 96), 20), lambda r: streaks(r, (64, 96), 3, 6, 0.7)]
)
def test_noise_is_centred_has_about_unit_spread_and_follows_its_generator(field) -> None:
    stack = np.stack([field(rng_of(i)) for i in range(12)])
    assert stack.shape == (12, 64, 96)
    assert stack.dtype == np.float32
    assert abs(stack.mean()) < 0.35
    assert 0.5 < stack.std() < 1.7
    assert np.array_equal(field(rng_of(3)), stack[3])


def test_ridges_and_lobules_stay_between_zero_and_one() -> None:
    ridge = ridged(rng_of(1), (50, 60), 20)
    height, tone = lobules(rng_of(1), (50, 60), 10)
    for field in (ridge, height, tone):
        assert field.shape == (50, 60)
        assert field.min() >= 0
        assert field.max() <= 1
    assert smoothstep(1.0, 2.0, np.array([0.5, 1.5, 9.0])).tolist() == [0.0, 0.5, 1.0]


# --------------------------------------------------------------------------- sprites


def drawn_twice(tool: Tool, t: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """(how much of the ground each pixel hides, whose it is): the ground once black, once white."""
    pose = tool.pose(t, 0, np.zeros(2))
    assert pose is not None
    pictures = []
    for shade in (0, 255):
        image = np.full((*tool.size, 3), shade, np.uint8)
        owner = np.zeros(tool.size, np.uint8)
        tool.draw(image, owner, pose)
        pictures.append(image[..., 0].astype(int))
    return 1 - (pictures[1] - pictures[0]) / 255, owner


@pytest.mark.parametrize("class_name", sorted(DESIGNS))
def test_a_tool_owns_exactly_the_pixels_it_hides(class_name: str) -> None:
    """Within one layer alpha > 1/2; where parts overlap, two half-covered borders may add up to
    more."""
    hides, owner = drawn_twice(tool_of(class_name))
    owned = owner == 7
    assert owned.sum() > 30
    assert hides[owned].min() > 0.49
    assert hides[~owned].max() < 0.77
    assert ((hides > 0.52) & ~owned).sum() <= 0.08 * owned.sum()


def test_a_sprite_outside_the_view_draws_nothing_and_one_across_the_border_draws_its_part() -> None:
    rng = rng_of(1)
    sprite = bake(rng, make_design("hook", rng).jaws[0], 12.0, LOOK)
    image, owner = np.full((40, 50, 3), 9, np.uint8), np.zeros((40, 50), np.uint8)
    draw(image, owner, sprite, part_matrix(sprite, np.array([-400.0, 20.0]), 0.0, 12.0), 3)
    assert (image == 9).all()
    assert not owner.any()
    draw(image, owner, sprite, part_matrix(sprite, np.array([-6.0, 20.0]), 0.0, 12.0), 3)
    assert owner[:, :10].any()
    assert not owner[:, 45:].any()


def test_a_parts_matrix_puts_its_joint_where_it_is_told() -> None:
    rng = rng_of(2)
    sprite = bake(rng, make_design("grasper", rng).jaws[0], 10.0, LOOK)
    for angle, stretch in ((0.0, (1.0, 1.0)), (2.1, (0.5, 0.8)), (-0.7, (1.0, -1.0))):
        matrix = part_matrix(sprite, np.array([31.0, 17.0]), angle, 14.0, stretch)
        assert matrix @ (*sprite.origin, 1.0) == pytest.approx((31.0, 17.0))
        ahead = matrix[:, :2] @ (sprite.scale, 0.0)
        assert ahead == pytest.approx(14.0 * stretch[0] * np.array([np.cos(angle), np.sin(angle)]))


# --------------------------------------------------------------------------- designs and tools


def silhouette(class_name: str) -> np.ndarray:
    """The tip of a tool lying along x, jaws half open, the shaft's end at the left border."""
    rng = rng_of(4)
    design = make_design(class_name, rng)
    owner = np.zeros((160, 160), np.uint8)
    image = np.zeros((160, 160, 3), np.uint8)
    joint = np.array([30.0 + 20 * design.wrist_length, 80.0])
    half = design.opening / 2 if len(design.jaws) == 2 else 0.0
    placed = [(design.shaft, np.array([30.0, 80.0]), 0.0)]
    placed += [(design.wrist, np.array([30.0, 80.0]), 0.0)] if design.wrist is not None else []
    placed += [(part, joint, side * half) for part, side in zip(design.jaws, (1, -1), strict=False)]
    for part, at, angle in placed:
        sprite = bake(rng, part, 20.0, LOOK)
        draw(image, owner, sprite, part_matrix(sprite, at, angle, 20.0), 1)
    return owner > 0


def test_every_class_has_its_own_silhouette() -> None:
    shapes = {name: silhouette(name) for name in DESIGNS}
    names = sorted(shapes)
    for i, one in enumerate(names):
        for other in names[i + 1 :]:
            a, b = shapes[one], shapes[other]
            assert (a & b).sum() / (a | b).sum() < 0.95, (one, other)


def test_procedures_name_only_instruments_that_have_a_design_and_tissues_of_the_vocabulary() -> (
    None
):
    named = {name for procedure in PROCEDURES.values() for name in procedure.instruments}
    assert named <= set(DESIGNS)
    assert len(named) >= 12
    assert all(kind_of(name) == "instrument" for name in DESIGNS)
    assert all(kind_of(organ.name) == "tissue" for p in PROCEDURES.values() for organ in p.organs)
    with pytest.raises(InputError, match="'spoon'"):
        make_design("spoon", rng_of(0))


def test_a_tool_is_out_during_its_absence_and_comes_in_over_the_border() -> None:
    for seed in range(6):
        tool = tool_of("grasper", seed=seed, absences=((10, 30),))
        assert all(tool.pose(t, 0, np.zeros(2)) is None for t in range(10, 30))
        for t in (*range(9, -1, -1), *range(30, 60)):
            pose, owner = tool.pose(t, 0, np.zeros(2)), np.zeros(SPEC.size, np.uint8)
            assert pose is not None
            tool.draw(np.zeros((*SPEC.size, 3), np.uint8), owner, pose)
            border = owner[[0, -1], :].any() or owner[:, [0, -1]].any()
            assert border or not owner.any(), (seed, t)
        assert owner.any()


def test_a_tool_opens_turns_and_moves() -> None:
    tool = tool_of("prograsp forceps", seed=3)
    poses = [tool.pose(t, 0, np.zeros(2)) for t in range(200)]
    for value, least in (
        ("opening", 0.4),
        ("jaw_angle", 0.15),
        ("shaft_angle", 0.02),
        ("across", 0.1),
    ):
        series = [getattr(pose, value) for pose in poses]
        assert np.ptp(series) > least, value
    tips = np.array([pose.tip for pose in poses if pose is not None])
    assert np.ptp(tips, axis=0).max() > 5
    assert np.abs(np.diff(tips, axis=0)).max() < 15  # no jumps without a cut


def test_what_a_tool_is_behind_stays_in_front() -> None:
    front, plain = tool_of("suction", behind=(2,)), tool_of("suction")
    pose = plain.pose(0, 0, np.zeros(2))
    assert pose is not None
    image, owner = np.full((*SPEC.size, 3), 200, np.uint8), np.zeros(SPEC.size, np.uint8)
    owner[:, 48:] = 2
    front.draw(image, owner, pose)
    assert (image[:, 48:] == 200).all()
    assert (owner[:, 48:] == 2).all()
    reference = np.zeros(SPEC.size, np.uint8)
    plain.draw(np.zeros((*SPEC.size, 3), np.uint8), reference, pose)
    assert np.array_equal(owner[:, :48], reference[:, :48])


# --------------------------------------------------------------------------- camera and tissue


def test_looking_away_empties_the_view_of_the_object() -> None:
    found = 0
    for seed in range(8):
        world, names = small_world("colonoscopy", seed)
        spec = replace(SPEC, frames=120, absence=(10, 60), absences=4.0)
        camera, aways = plan_camera(rng_of(seed), world, tuple(names), spec)
        for object_id, windows in aways.items():
            for start, stop in windows:
                found += 1
                seen = [
                    share_in_view(world, object_id, camera.pose(t), spec.size)
                    for t in range(start, stop)
                ]
                assert max(seen) == 0
    assert found >= 4


def test_the_view_stays_on_the_canvas_and_cuts_count_segments() -> None:
    world, names = small_world("hysterectomy")
    spec = replace(SPEC, frames=200, cuts=3.0, motion=2.0)
    camera, _ = plan_camera(rng_of(3), world, tuple(names), spec)
    corners = np.array([[0, 0, 1], [95, 0, 1], [0, 95, 1], [95, 95, 1]], float)
    for t in range(200):
        at = corners @ camera.matrix(camera.pose(t)).T
        assert at.min() >= 0
        assert at.max() <= world.ids.shape[0] - 1
    segments = [camera.segment(t) for t in range(200)]
    assert segments == sorted(segments)
    assert segments[-1] >= 1


def test_a_pose_maps_the_views_middle_to_its_centre() -> None:
    matrix = view_matrix(np.array([70.0, 50.0, 2.0, 0.3]), (41, 61))
    assert matrix @ (30.0, 20.0, 1.0) == pytest.approx((70.0, 50.0))
    assert np.linalg.det(matrix[:, :2]) == pytest.approx(0.25)


def test_tissue_ids_move_with_the_picture_and_blood_cuts_them() -> None:
    world, _ = small_world("cholecystectomy", 2)
    mark = np.zeros_like(world.colour)
    mark[world.ids == 1] = 255
    painted = World(mark, np.zeros_like(world.aux), world.ids, world.depth, world.unit)
    tissue = replace(make_tissue(rng_of(1), painted, SPEC), wet=0.0, bleeding=())
    middle = np.array([world.ids.shape[1] / 2, world.ids.shape[0] / 2, 0.9, 0.2])
    image, owner = tissue.look(17, view_matrix(middle, SPEC.size), [(np.array([40.0, 40.0]), 9)])
    assert ((image[..., 0] > 127) == (owner == 1)).mean() > 0.99

    bloody = np.zeros_like(world.aux)
    bloody[..., 3] = 255
    flood = World(mark, bloody, world.ids, world.depth, world.unit)
    bleeding = (Event(0, 40, 1, 0.9),)
    tissue = replace(
        make_tissue(rng_of(1), flood, SPEC), wet=0.0, bleeding=bleeding, blood=(90.0, 5.0, 5.0)
    )
    image, owner = tissue.look(20, view_matrix(middle, SPEC.size), [])
    assert not owner.any()
    assert np.ptp(image.reshape(-1, 3), axis=0).max() == 0, "opaque: nothing of the ground shows"
    assert image[0, 0, 0] > 4 * image[0, 0, 1]


# --------------------------------------------------------------------------- the tube


def test_rays_end_on_the_wall_of_a_plain_tube() -> None:
    tube = Tube(np.ones((64, 32), np.float32), np.zeros((2, 3), np.float32))
    angle = np.linspace(0.4, 1.2, 50)
    rays = np.stack([np.sin(angle), np.zeros_like(angle), np.cos(angle)], 1).astype(np.float32)
    travel = march(tube, np.zeros(3, np.float32), rays)
    assert travel == pytest.approx(1 / np.sin(angle), rel=0.02)


def test_a_tubes_table_joins_up_around() -> None:
    wide = np.random.default_rng(0).random((5, 40)).astype(np.float32)
    joined = join_ends(wide, 32)
    assert np.allclose(joined[:, 0], wide[:, 32])  # what follows column 31
    table = random_wall(rng_of(3))
    ends = [lookup(table, np.float32([a, a]), np.float32([1.0, 2.5])) for a in (0.0, 2 * np.pi)]
    assert np.abs(ends[0] - ends[1]).max() < 0.05


@pytest.mark.parametrize("procedure", ["colonoscopy", "laryngoscopy", "nephrectomy"])
def test_scenery_names_exactly_the_ids_it_shows(procedure: str) -> None:
    for seed in range(4):
        world, names = small_world(procedure, seed)
        assert set(np.unique(world.ids)) - {0} == set(names)
        assert world.colour.shape[:2] == world.ids.shape == world.aux.shape[:2]
        assert world.colour.std() > 5


# --------------------------------------------------------------------------- effects


def test_haze_and_drops_never_hide_more_than_the_rule_says() -> None:
    spec = replace(SPEC, effects=1.0)
    lens = make_lens(rng_of(2), spec, PROCEDURES["cholecystectomy"])
    disturbances = make_disturbances(rng_of(2), spec, PROCEDURES["cholecystectomy"])
    strong = (Event(0, 60, 1, 1.0),)
    disturbances = replace(disturbances, smoke=strong, fog=(), dirt=strong)
    white = np.full((96, 96, 3), 255, np.uint8)
    alpha = 1 - add_haze(white, replace(lens, haze_colour=(0.0,) * 3), disturbances, 30) / 255
    assert 0.2 < alpha.max() <= MOST_HAZE + 0.01
    checks = np.random.default_rng(0).integers(0, 2, (96, 96, 1), dtype=np.uint8).repeat(3, 2) * 255
    kept = add_drops(checks, lens, disturbances, 30).astype(int)
    assert np.ptp(kept[lens.drops > 100]) >= 255 * (1 - MOST_HAZE) - 1
    assert lens.drops.max() <= 255 * MOST_HAZE


def test_calm_weather_leaves_the_picture_alone() -> None:
    spec = replace(SPEC, effects=0.0)
    lens = make_lens(rng_of(2), spec, PROCEDURES["colonoscopy"])
    disturbances = make_disturbances(rng_of(2), spec, PROCEDURES["colonoscopy"])
    image = np.random.default_rng(0).integers(0, 255, (96, 96, 3), dtype=np.uint8)
    assert add_haze(image, lens, disturbances, 10) is image
    assert add_drops(image, lens, disturbances, 10) is image
    assert withdraw(image, lens, disturbances, 10) == (image, False)


def test_a_withdrawn_scope_hides_the_scene() -> None:
    lens = make_lens(rng_of(2), SPEC, PROCEDURES["colonoscopy"])
    disturbances = replace(
        make_disturbances(rng_of(2), SPEC, PROCEDURES["colonoscopy"]), away=(Event(10, 20, 3, 1.0),)
    )
    image = np.zeros((96, 96, 3), np.uint8)
    assert [withdraw(image, lens, disturbances, t)[1] for t in (9, 10, 15, 19, 20)] == [
        False,
        False,
        True,
        False,
        False,
    ]
    assert np.array_equal(withdraw(image, lens, disturbances, 15)[0], lens.backdrop)


def test_the_rim_is_black() -> None:
    rims = [
        make_lens(rng_of(i), SPEC, replace(PROCEDURES["colonoscopy"], round_view=1.0))
        for i in range(4)
    ]
    for lens in rims:
        assert lens.rim is not None
        picture = develop(np.full((96, 96, 3), 90, np.uint8), lens, rng_of(0))
        assert not picture[~lens.rim].any()
        assert picture[lens.rim].mean() > 60
        assert 0.5 < lens.rim.mean() <= 1.0


def test_events_and_stays_ramp() -> None:
    event = Event(10, 20, 4, 0.8)
    assert event(9) == event(20) == 0
    assert 0 < event(10) < event(11) < event(13) == 0.8
    values = [stay(t, ((10, 20),), 5) for t in range(40)]
    assert values[10:20] == [0.0] * 10
    assert values[0] == values[5] == values[25] == 1.0
    assert values[5:10] == sorted(values[5:10], reverse=True)
    assert values[20:25] == sorted(values[20:25])
    assert values[20] > 0


def test_opencv_threads_do_not_change_a_picture() -> None:
    before = cv2.getNumThreads()
    try:
        cv2.setNumThreads(1)
        one, _ = small_world("colonoscopy", 5)
        cv2.setNumThreads(4)
        four, _ = small_world("colonoscopy", 5)
    finally:
        cv2.setNumThreads(before)
    assert np.array_equal(one.colour, four.colour)
    assert np.array_equal(one.ids, four.ids)
