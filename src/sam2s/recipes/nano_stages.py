"""What the parts of `sam2s.recipes.nano` share: colours, stills, losses, users, and stages by what
varies in them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from sam2s.clips.augment import AugmentConfig
from sam2s.clips.clips import ConsecutiveSampler
from sam2s.clips.diverse_clips import DiverseSampler
from sam2s.clips.doubles import DoubleConfig
from sam2s.clips.repaint import RepaintConfig
from sam2s.clips.stills.animate import StillConfig
from sam2s.train.ambiguity import SoftLabel
from sam2s.train.config import Clips, Schedule, Stage, Teaching
from sam2s.train.losses import LossConfig
from sam2s.train.unroll import UserConfig

FULL, HALF = 256, 128
"""Sides of the model input in pixels."""

# Colours and geometry, from part to part wider.
AUGMENT = AugmentConfig(
    degrees=20.0,
    shear=8.0,
    scale=(0.8, 1.5),
    shift=0.1,
    brightness=0.25,
    contrast=0.2,
    saturation=0.3,
    hue=0.04,
)
CAMERA = replace(AUGMENT, gray=0.1, blur=0.01, noise=0.04)
COLOURS = replace(CAMERA, hue=0.08, saturation=0.4)
DOUBLED = replace(COLOURS, double=DoubleConfig(share=0.4))
CROWDED = replace(
    COLOURS,
    repaint=RepaintConfig(share=0.2),
    double=DoubleConfig(share=0.4, leaving=0.6, gone=0.4),
)

# Stills: bumps of their own tissue; then a camera that goes to two times the scale and half a
# picture away, and turns.
GROWING = StillConfig(growths=(0, 2), pasted=(0, 1))
CLOSER = replace(GROWING, periods=(10.0, 60.0), zoom=(1.1, 2.4), zooming=1.0, pan=0.35, roll=40.0)

LEAVING = replace(CLOSER, pasted=(0, 2), absence=0.5, gone=0.4)

# Losses. Half a loss pixel is two input pixels here: the paper's one would blur a thin tool away at
# this resolution.
EVEN_LOSS = LossConfig(focal=5.0, dice=5.0, spread=1.0, stride=4)
LOSS = LossConfig(focal=20.0, dice=3.0, presence=2.0, spread=0.1, stride=4)
SOFT_LOSS = replace(LOSS, soften=SoftLabel(sigma=0.5), dense=2.0)
PRESENT_LOSS = replace(SOFT_LOSS, presence=4.0)
TISSUE_LOSS = replace(SOFT_LOSS, presence=3.0)
RIVAL_LOSS = replace(TISSUE_LOSS, rival=4.0)
CROWD_LOSS = replace(RIVAL_LOSS, presence=4.0)

# Simulated users.
BOXES = UserConfig(mask=0.0, box=1.0, prompted=1, corrected=1, clicks=0)
CLICKS = UserConfig(mask=0.0, box=0.3, prompted=1, corrected=1, clicks=2, correct=0.6, centred=0.5)
TRACKING = UserConfig(
    mask=0.4, box=0.2, prompted=2, corrected=2, clicks=2, correct=0.3, centred=0.5
)
CORRECTING = UserConfig(
    mask=0.2, box=0.2, prompted=1, corrected=2, clicks=2, correct=0.8, centred=0.5
)
CLICKING = UserConfig(
    mask=0.0, box=0.2, prompted=1, corrected=1, clicks=2, correct=0.9, centred=0.5
)
THRICE = replace(CLICKING, clicks=3)

RESTING = ("image_encoder",)


def consecutive(
    frames: int, objects: int, stride: int = 1, area: float = 0.001, absence: float = 0.0
) -> ConsecutiveSampler:
    """SAM 2's sampler, by what the parts vary."""
    return ConsecutiveSampler(
        frames=frames, max_objects=objects, max_stride=stride, min_area=area, absence=absence
    )


PAIR = consecutive(2, 8, 24, 0.0005, 0.3)
THREE = consecutive(3, 3, 16, 0.001, 0.6)
EIGHT = consecutive(8, 3, 8, 0.001, 0.8)


# The stages of parts 2 to 5, by what they vary; ``seen``: fields of `Clips`.


def encoder_stage(schedule: Schedule, sampler: ConsecutiveSampler, **seen: Any) -> Stage:
    """The image encoder alone, by dense supervision, from pairs of frames."""
    clips = Clips(size=FULL, batch=6, sampler=sampler, **seen)
    teaching = Teaching(loss=SOFT_LOSS, encoder_only=True)
    return Stage(name="encoder", schedule=schedule, clips=clips, teaching=teaching)


def clicks_stage(schedule: Schedule, sampler: ConsecutiveSampler, **seen: Any) -> Stage:
    """The decoder learns to read new features, which are frozen, on single frames."""
    clips = Clips(size=FULL, batch=8, sampler=sampler, **seen)
    teaching = Teaching(user=CLICKING, loss=SOFT_LOSS, frozen=RESTING)
    return Stage(name="clicks", schedule=schedule, clips=clips, teaching=teaching)


def pictures_stage(schedule: Schedule, user: UserConfig, **seen: Any) -> Stage:
    """Single frames, with the encoder awake."""
    clips = Clips(size=FULL, batch=8, sampler=consecutive(1, 3), **seen)
    teaching = Teaching(user=user, loss=SOFT_LOSS, encoder_gradient=0.2)
    return Stage(name="pictures", schedule=schedule, clips=clips, teaching=teaching)


def short_stage(schedule: Schedule, sampler: ConsecutiveSampler, **seen: Any) -> Stage:
    """Clips of three frames, with corrections."""
    clips = Clips(size=FULL, batch=4, sampler=sampler, **seen)
    teaching = Teaching(user=CORRECTING, loss=SOFT_LOSS, encoder_gradient=0.1)
    return Stage(name="short clips", schedule=schedule, clips=clips, teaching=teaching)


def whole_stage(
    schedule: Schedule, sampler: ConsecutiveSampler, loss: LossConfig, **seen: Any
) -> Stage:
    """Clips of eight frames, half of them DiveMem's."""
    far = DiverseSampler(max_objects=3, max_stride=3, min_area=0.001)
    clips = Clips(size=FULL, batch=2, sampler=sampler, diverse=0.5, diverse_sampler=far, **seen)
    teaching = Teaching(user=CORRECTING, loss=loss, encoder_gradient=0.1)
    return Stage(name="whole clips", schedule=schedule, clips=clips, teaching=teaching)
