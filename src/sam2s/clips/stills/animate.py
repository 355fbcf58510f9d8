"""A labelled still becomes a clip: the camera moves, tissue bends, light drifts, instruments come
and go.

How video object segmentation pre-trains on images, made for endoscopy. Everything is a function of
time, so a clip's frames may be the consecutive ones of SAM 2's sampler or the scattered ones of
DiveMem's. A clip is a pure function of (still, cut-outs, frames, config, random generator).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from sam2s.clips.stills.exposure import draw_grain, in_surround, lit, with_grain
from sam2s.clips.stills.extended import DETAIL, ExtendedStill, extend_still
from sam2s.clips.stills.growth import growth
from sam2s.clips.stills.paste import CutOut, Layer, Stay, cut_out, fold, lay_over, place
from sam2s.clips.stills.warp import (
    Bend,
    Episode,
    Path,
    View,
    draw_bend,
    draw_episode,
    draw_path,
    view_map,
)
from sam2s.masklets.catalogue import ObjectInfo

FARTHEST = 0.85
"""How far, in shares of the still's side, the camera goes to lose an object; beyond that there is
little to see."""


@dataclass(frozen=True)
class StillConfig:
    """Ranges of what happens to a still; lengths in shares of the picture's side, times in ticks
    (video frames).

    ``length``: ticks of the imagined video that a sampler draws its frames from; ``periods``: of
    the sines that every motion is made of. The camera: ``zoom`` it starts with, ``pan``,
    ``zooming`` (relative) and ``roll`` (degrees) away from there, ``overshoot`` beyond the still's
    border. ``bend``: deformation of tissue. ``light``: change of brightness, ``tint`` of single
    colours, ``grain`` standard deviation of sensor noise in grey values. ``pasted``: how many
    cut-outs at least and at most, drifting by ``motion``, a share ``instruments`` of them
    instruments where there are any, between ``areas`` of their picture; ``growths``: how many bumps
    of tissue (see `growth`) at least and at most, a share ``own`` of them of the still's own
    tissue, the others of another picture's; ``folds``: share of clips with a fold of tissue from
    another picture. ``shadow``: darkest shadow of a pasted thing. ``absence``: share of clips in
    which an object leaves the view, to return where the clip goes on, but for the share ``gone`` of
    these, in which it does not; ``visits``: share of pasted things that are in view for part of the
    clip only.
    """

    length: int = 64
    periods: tuple[float, float] = (20.0, 90.0)
    zoom: tuple[float, float] = (1.0, 1.7)
    pan: float = 0.1
    zooming: float = 0.2
    roll: float = 10.0
    overshoot: float = 0.08
    bend: float = 0.03
    light: float = 0.25
    tint: float = 0.05
    grain: float = 3.0
    pasted: tuple[int, int] = (0, 2)
    motion: float = 0.1
    instruments: float = 0.8
    areas: tuple[float, float] = (0.005, 0.3)
    growths: tuple[int, int] = (0, 0)
    own: float = 0.6
    folds: float = 0.15
    shadow: float = 0.5
    absence: float = 0.4
    gone: float = 0.0
    visits: float = 0.4


@dataclass(frozen=True, eq=False)
class Still:
    """A labelled picture: ``image`` (H, W, 3) uint8, ``masks`` (O, H, W) bool, ``infos``: what the
    O objects are."""

    name: str
    image: np.ndarray
    masks: np.ndarray
    infos: tuple[ObjectInfo, ...]


@dataclass(frozen=True, eq=False)
class StillClip:
    """``images`` (T, S, S, 3) uint8; ``masks`` (T, O, S, S) bool, the still's objects first, then
    the pasted ones; ``infos``: what the O objects are; ``leaving``: the object that was made to
    leave the view, or None."""

    images: np.ndarray
    masks: np.ndarray
    infos: tuple[ObjectInfo, ...]
    leaving: int | None


def draw_pieces(
    donors: Sequence[Still],
    grounds: Sequence[np.ndarray],
    backdrop: np.ndarray | None,
    size: int,
    rng: np.random.Generator,
) -> list[CutOut]:
    """Cut-outs for frames of ``size`` pixels: one of every still in ``donors`` (its first object),
    except those that cannot be cut out, a growth of every picture in ``grounds`` (H, W, 3), and a
    fold of ``backdrop`` where there is one."""
    side = round(size * DETAIL)
    found = [cut_out(donor.image, donor.masks[0], donor.infos[0], side, rng) for donor in donors]
    found += [growth(ground, side, rng) for ground in grounds]
    pieces = sorted(
        (piece for piece in found if piece is not None), key=lambda piece: not piece.sticks
    )
    if backdrop is not None:
        pieces.insert(int(rng.integers(len(pieces) + 1)), fold(backdrop, side, rng))
    return pieces


def animate(
    still: Still,
    pieces: Sequence[CutOut],
    times: tuple[int, ...],
    size: int,
    config: StillConfig,
    rng: np.random.Generator,
) -> StillClip:
    """The clip of ``still`` with frames of ``size`` pixels a side at ``times`` (ticks, in the order
    of the frames)."""
    scene = extend_still(still.image, still.masks, size, rng)
    shown = _draw_motion(scene, pieces, times, size, config, rng)
    frames, planes = [], []
    for time in times:
        frame, masks = shown.render(time, size, rng)
        frames.append(frame)
        planes.append(masks)
    infos = still.infos + tuple(
        layer.piece.info for layer in shown.layers if layer.piece.info is not None
    )
    return StillClip(np.stack(frames), np.stack(planes), infos, shown.leaving)


@dataclass(frozen=True, eq=False)
class _Motion:
    """Everything that moves, as functions of time. ``start``: the view on the first frame, of which
    ``camera`` (x, y, log zoom, angle) is the change; ``away``: where the camera goes during
    ``episode``; ``light``: see `lit`."""

    scene: ExtendedStill
    start: View
    camera: Path
    first: int
    away: np.ndarray
    episode: Episode | None
    bend: Bend
    light: Path
    layers: tuple[Layer, ...]
    overshoot: float
    shadow: float
    grain: np.ndarray
    leaving: int | None

    def view(self, time: float) -> View:
        """What the camera sees at ``time``. However far it goes or backs off, the still fills most
        of the view."""
        x, y, nearer, angle = self.camera.at(time) - self.camera.at(self.first)
        gone = 0.0 if self.episode is None else self.episode.at(time)
        zoom = max(self.start.zoom * math.exp(nearer), 1 / (1 + 2 * self.overshoot))
        lowest, highest = _reach(zoom, self.overshoot)
        centre = np.clip(self.start.centre + np.array([x, y]), lowest, highest) + gone * self.away
        return View(centre, zoom, self.start.angle + angle)

    def render(
        self, time: float, size: int, rng: np.random.Generator
    ) -> tuple[np.ndarray, np.ndarray]:
        """Picture (size, size, 3) uint8 and masks (O, size, size) bool at ``time``; ``rng`` for the
        grain."""
        view = self.view(time)
        picture, planes = self.scene.render(view_map(view, self.bend, time, size))
        masks = list(np.ascontiguousarray(np.moveaxis(planes >= 128, -1, 0)))
        shade = picture.astype(np.float32)
        for layer in self.layers:
            patch = layer.render(time, size, view, self.bend)
            shade, cover = lay_over(shade, masks, patch, layer.gain, self.shadow)
            if layer.piece.info is not None:
                masks.append(cover)
        shade = with_grain(lit(shade, self.light.at(time)), self.grain, rng)
        if self.scene.surround is not None:
            shade = in_surround(shade, masks, self.scene.surround)
        return np.clip(shade, 0, 255).astype(np.uint8), np.stack(masks) if masks else np.zeros(
            (0, size, size), bool
        )


def _draw_motion(
    scene: ExtendedStill,
    pieces: Sequence[CutOut],
    times: tuple[int, ...],
    size: int,
    config: StillConfig,
    rng: np.random.Generator,
) -> _Motion:
    """Draw what happens."""
    seen = scene.seen() or range(scene.masks.shape[-1])
    focus = seen[int(rng.integers(len(seen)))]
    start = _start_view(scene, focus, config, rng)
    absent = len(times) > 1 and rng.random() < config.absence
    named = [k for k, piece in enumerate(pieces) if piece.info is not None]
    movable = [k for k in named if not pieces[k].sticks]
    away = _shift_out(scene, focus, start, rng) if absent else None
    by_camera = away is not None and (not movable or rng.random() < 0.5)
    leaver = int(rng.choice(movable)) if absent and movable and not by_camera else None
    layers = tuple(_lay(piece, k == leaver, times, config, rng) for k, piece in enumerate(pieces))
    leaving = focus if by_camera else None
    if leaver is not None:
        leaving = scene.masks.shape[-1] + named.index(leaver)
    turn = math.radians(config.roll) / 2
    half = config.pan / 2  # the way from the first frame's place may be twice the spread
    return _Motion(
        scene=scene,
        start=start,
        camera=draw_path((half, half, config.zooming / 2, turn), config.periods, rng),
        first=times[0],
        away=away if away is not None and by_camera else np.zeros(2),
        episode=draw_episode(times, rng, config.gone) if by_camera else None,
        bend=draw_bend(config.bend, config.periods, rng),
        light=draw_path(
            (config.light, *[config.tint] * 3, config.light, config.light), config.periods, rng
        ),
        layers=layers,
        overshoot=config.overshoot,
        shadow=rng.uniform(0, config.shadow),
        grain=draw_grain(size, rng.uniform(0, config.grain), rng),
        leaving=leaving,
    )


def _start_view(
    scene: ExtendedStill, focus: int, config: StillConfig, rng: np.random.Generator
) -> View:
    """A view of the still in which the object ``focus`` is clearly visible."""
    zoom = math.exp(rng.uniform(*np.log(config.zoom)))
    half = 0.5 / zoom
    middle = scene.extent(focus).clip(0, 1).mean(axis=0)
    lowest, highest = _reach(zoom, config.overshoot)
    low = np.clip(middle - 0.6 * half, lowest, highest)
    high = np.clip(middle + 0.6 * half, lowest, highest)
    return View(rng.uniform(low, high), zoom, math.radians(config.roll) / 2 * rng.uniform(-1, 1))


def _reach(zoom: float, overshoot: float) -> tuple[float, float]:
    """Where the middle of the view may be, lowest and highest, for the view to end ``overshoot``
    beyond the still."""
    half = 0.5 / zoom
    return half - overshoot, 1 - half + overshoot


def _shift_out(
    scene: ExtendedStill, focus: int, start: View, rng: np.random.Generator
) -> np.ndarray | None:
    """The way (2,) the camera must go for ``focus`` to leave the view; None when it is too large to
    leave."""
    low, high = scene.extent(focus)
    half = 0.5 / start.zoom * 1.25 + 0.05  # the view also turns and zooms, and tissue bends
    ways = np.array([low[0] - half, high[0] + half, low[1] - half, high[1] + half])
    steps = ways - np.repeat(start.centre, 2)
    chosen = int(rng.choice(np.argsort(np.abs(steps))[:2]))
    if abs(steps[chosen]) > FARTHEST:
        return None
    way = np.zeros(2)
    way[chosen // 2] = steps[chosen]
    way[1 - chosen // 2] = rng.uniform(-0.15, 0.15)
    return way


def _lay(
    piece: CutOut,
    leaves: bool,
    times: tuple[int, ...],
    config: StillConfig,
    rng: np.random.Generator,
) -> Layer:
    """A way for a pasted thing: it stays, it leaves for a while, or it visits."""
    stay: Stay = "leaves" if leaves else "visits" if rng.random() < config.visits else "stays"
    moving = stay != "stays" and len(times) > 1
    episode = draw_episode(times, rng, config.gone if leaves else 0.0) if moving else None
    return place(piece, stay if moving else "stays", episode, config.motion, config.periods, rng)
