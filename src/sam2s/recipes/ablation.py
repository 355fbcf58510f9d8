"""The paper's ablation at nano's scale: one starting point, one budget, five sets of ideas (paper table 4).

``sam2`` is SAM 2's fine-tuning recipe; the others add DiveMem (its clips in training, its memory in tracking), TSL
and ARL. Everything else, the order of random draws included, is alike: two variants of one seed see the same scripts,
and the same clips wherever their samplers agree.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from sam2s.data.clips import ConsecutiveSampler
from sam2s.data.diverse_clips import DiverseSampler
from sam2s.errors import InputError
from sam2s.recipes.nano import AUGMENT, CORRECTING, FULL, LOSS
from sam2s.recipes.nano_further import nano_further
from sam2s.train.ambiguity import SoftLabel
from sam2s.train.config import Stage, TrainConfig


@dataclass(frozen=True)
class Variant:
    """Which ideas are on. ``divemem`` also decides the memory rule that the variant is judged under."""

    name: str
    divemem: bool = False
    tsl: bool = False
    arl: bool = False

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


def find_variant(name: str) -> Variant:
    """The variant called ``name``; InputError lists them."""
    for variant in VARIANTS:
        if variant.name == name:
            return variant
    raise InputError(f"ablation: unknown variant {name!r}; use one of {', '.join(v.name for v in VARIANTS)}")


def ablation(variant: Variant, seed: int, *, model: str = "nano", steps: int = 300, clips: int = 2) -> TrainConfig:
    """``steps`` steps of ``clips`` eight-frame clips from the weights ``model``.

    All variants have TSL's token, so that their networks are one; without TSL its loss weighs nothing.
    """
    loss = replace(LOSS, tsl=0.1 if variant.tsl else 0.0, soften=SoftLabel(sigma=0.5) if variant.arl else None)
    stage = Stage(
        "ablation",
        steps,
        FULL,
        clips,
        lr=2e-4,
        lr_end=2e-6,
        warmup=steps // 20,
        sampler=ConsecutiveSampler(frames=8, max_objects=3, max_stride=6, min_area=0.003, absence=0.6),
        diverse=0.5 if variant.divemem else 0.0,
        diverse_sampler=DiverseSampler(max_objects=3, max_stride=3, min_area=0.003),
        user=CORRECTING,
        augment=AUGMENT,
        loss=loss,
    )
    return replace(
        nano_further(),
        name=f"ablation-{variant.name}",
        model=model,
        stages=(stage,),
        folders=(),
        validation=None,
        seed=seed,
    )
