"""The paper's ablation at nano's scale: one starting point, one budget, five sets of ideas (paper
table 4); and what stills bring, without and with growths on them, and with a camera that comes
close and jumps.

``sam2`` is SAM 2's fine-tuning recipe; the others add DiveMem (its clips in training, its memory in
tracking), TSL and ARL. Everything else, the order of random draws included, is alike: two variants
of one seed see the same scripts, and the same clips wherever their samplers agree.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from sam2s.clips.diverse_clips import DiverseSampler
from sam2s.clips.stills.animate import StillConfig
from sam2s.errors import InputError
from sam2s.recipes.nano import growths
from sam2s.recipes.nano_stages import (
    AUGMENT,
    CLOSER,
    CORRECTING,
    FULL,
    GROWING,
    LOSS,
    consecutive,
)
from sam2s.train.ambiguity import SoftLabel
from sam2s.train.config import Clips, Schedule, Stage, Teaching, TrainConfig


@dataclass(frozen=True)
class Variant:
    """Which ideas are on. ``divemem`` also decides the memory rule that the variant is judged
    under; ``stills``: share of steps on clips made of stills, in the way ``still`` says."""

    name: str
    divemem: bool = False
    tsl: bool = False
    arl: bool = False
    stills: float = 0.0
    still: StillConfig = field(default_factory=StillConfig)

    @property
    def memory(self) -> str:
        """The memory rule at inference."""
        return "diverse" if self.divemem else "recent"


VARIANTS = (
    Variant("sam2"),
    Variant("divemem", divemem=True),
    Variant("tsl", tsl=True),
    Variant("divemem+tsl", divemem=True, tsl=True),
    Variant("all", divemem=True, tsl=True, arl=True),
)
"""The paper's."""
ON_STILLS = (
    Variant("all+stills", divemem=True, tsl=True, arl=True, stills=0.4),
    Variant("all+growths", divemem=True, tsl=True, arl=True, stills=0.4, still=GROWING),
    Variant("all+closer", divemem=True, tsl=True, arl=True, stills=0.4, still=CLOSER),
)
"""What stills add, on real sequences."""


def find_variant(name: str) -> Variant:
    """The variant called ``name``; InputError lists them."""
    every = (*VARIANTS, *ON_STILLS)
    for variant in every:
        if variant.name == name:
            return variant
    raise InputError(
        f"ablation: unknown variant {name!r}; use one of {', '.join(v.name for v in every)}"
    )


def ablation(
    variant: Variant,
    seed: int,
    *,
    model: str = "nano",
    steps: int = 300,
    clips: int = 2,
    rest_encoder: bool = False,
) -> TrainConfig:
    """``steps`` steps of ``clips`` eight-frame clips from the weights ``model``.

    ``rest_encoder``: the image encoder stays as it is, which halves the time. The data are those of
    `sam2s.recipes.nano.growths`, of the scenes the first set alone. All variants have TSL's token,
    so that their networks are one; without TSL its loss weighs nothing.
    """
    loss = replace(
        LOSS, tsl=0.1 if variant.tsl else 0.0, soften=SoftLabel(sigma=0.5) if variant.arl else None
    )
    stage = Stage(
        name="ablation",
        schedule=Schedule(steps=steps, lr=2e-4, lr_end=2e-6, warmup=steps // 20),
        clips=Clips(
            size=FULL,
            batch=clips,
            sampler=consecutive(8, 3, 6, 0.003, 0.6),
            diverse=0.5 if variant.divemem else 0.0,
            diverse_sampler=DiverseSampler(max_objects=3, max_stride=3, min_area=0.003),
            stills=variant.stills,
            still=variant.still,
            augment=AUGMENT,
        ),
        teaching=Teaching(
            user=CORRECTING, loss=loss, frozen=("image_encoder",) if rest_encoder else ()
        ),
    )
    start = growths()
    return replace(
        start,
        name=f"ablation-{variant.name}",
        model=model,
        stages=(stage,),
        synthetic=start.synthetic[:1],
        validation=None,
        seed=seed,
    )
