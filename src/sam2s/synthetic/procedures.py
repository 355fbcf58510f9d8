"""The procedures that scenes are drawn from: stage, palette, organs and instrument set of each.

``nephrectomy`` is the one held out from training, as in the paper's split by procedure.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from sam2s.errors import InputError

Stage = Literal["cavity", "tunnel", "larynx"]
Form = Literal["dome", "tube", "patch"]


@dataclass(frozen=True, slots=True)
class Organ:
    """A tissue object that may appear: ``radius`` is a range as a fraction of the view's shorter
    side."""

    name: str
    material: str
    form: Form
    radius: tuple[float, float]
    chance: float = 0.6


@dataclass(frozen=True, slots=True)
class Procedure:
    """What one kind of surgery looks like.

    ``stage``: how the scenery is built; ``grounds``: possible linings; ``tools``: fewest and most
    instruments at once; ``round_view``: chance of a round or cut-cornered picture; ``thickness``:
    of its tools against the usual.
    """

    name: str
    stage: Stage
    grounds: tuple[str, ...]
    organs: tuple[Organ, ...]
    instruments: tuple[str, ...]
    tools: tuple[int, int]
    round_view: float = 0.3
    thickness: float = 1.0


PROCEDURES: dict[str, Procedure] = {
    p.name: p
    for p in (
        Procedure(
            "cholecystectomy",
            "cavity",
            ("peritoneum", "connective", "pale fat"),
            (
                Organ("liver", "liver", "dome", (0.5, 1.0), 0.9),
                Organ("gallbladder", "gallbladder", "dome", (0.2, 0.42), 0.95),
                Organ("fat", "fat", "patch", (0.25, 0.5), 0.6),
                Organ("cystic duct", "duct", "tube", (0.035, 0.06), 0.4),
            ),
            ("grasper", "hook", "bipolar", "clip applier", "scissors", "suction"),
            (1, 4),
        ),
        Procedure(
            "hysterectomy",
            "cavity",
            ("peritoneum", "bowel", "connective"),
            (
                Organ("uterus", "uterus", "dome", (0.4, 0.85), 0.95),
                Organ("small intestine", "bowel", "tube", (0.1, 0.18), 0.4),
                Organ("ureter", "artery", "tube", (0.03, 0.05), 0.3),
            ),
            ("grasper", "dissect & grasp", "ligature", "hook"),
            (1, 3),
        ),
        Procedure(
            "prostatectomy",
            "cavity",
            ("muscle", "pale fat", "connective", "fascia"),
            (
                Organ("fat", "fat", "patch", (0.25, 0.55), 0.7),
                Organ("vesicular glands", "gland", "dome", (0.15, 0.3), 0.6),
                Organ("ureter", "duct", "tube", (0.03, 0.055), 0.4),
            ),
            (
                "needle driver",
                "monopolar scissors",
                "bipolar forceps",
                "prograsp forceps",
                "suction",
                "needle holder",
            ),
            (2, 4),
            round_view=0.05,
        ),
        Procedure(
            "nephrectomy",
            "cavity",
            ("fascia", "pale fat", "peritoneum", "fat"),
            (
                Organ("kidney parenchyma", "kidney", "dome", (0.3, 0.6), 0.95),
                Organ("covered kidney", "fascia", "dome", (0.3, 0.6), 0.5),
                Organ("small intestine", "bowel", "tube", (0.1, 0.17), 0.5),
            ),
            (
                "prograsp forceps",
                "bipolar forceps",
                "monopolar scissors",
                "needle driver",
                "US probe",
                "suction",
                "vessel sealer",
                "grasper retractor",
                "clip applier",
            ),
            (2, 4),
            round_view=0.05,
        ),
        Procedure(
            "myotomy",
            "cavity",
            ("peritoneum", "bowel", "pale fat", "muscle"),
            (
                Organ("stomach", "stomach", "dome", (0.4, 0.85), 0.8),
                Organ("liver", "liver", "dome", (0.35, 0.7), 0.6),
                Organ("spleen", "spleen", "dome", (0.2, 0.4), 0.4),
                Organ("small intestine", "bowel", "tube", (0.09, 0.16), 0.4),
            ),
            (
                "vessel sealer",
                "dissect & grasp",
                "grasper",
                "scissors",
                "needle holder",
                "clamp",
                "hook",
            ),
            (1, 4),
        ),
        Procedure(
            "colonoscopy",
            "tunnel",
            ("mucosa",),
            (Organ("polyp", "mucosa", "dome", (0.06, 0.2), 1.0),),
            ("snare", "grasper", "catheter"),
            (0, 2),
            round_view=0.75,
            thickness=0.6,
        ),
        Procedure(
            "laryngoscopy",
            "larynx",
            ("larynx",),
            (
                Organ("glottis", "trachea", "patch", (0.3, 0.6), 1.0),
                Organ("vocal fold", "fold", "patch", (0.2, 0.4), 1.0),
                Organ("laryngeal lesion", "lesion", "dome", (0.05, 0.14), 0.7),
            ),
            ("grasper", "scissors", "suction", "hook", "catheter"),
            (0, 3),
            round_view=0.2,
        ),
    )
}
HELD_OUT = "nephrectomy"
"""Never drawn unless it is asked for by name, or for the splits val and test."""
TRAINING: tuple[str, ...] = tuple(name for name in PROCEDURES if name != HELD_OUT)


def find_procedure(name: str) -> Procedure:
    """The procedure of that name; InputError that lists the known ones."""
    if name not in PROCEDURES:
        raise InputError(f"procedure {name!r}: unknown; use one of {', '.join(PROCEDURES)}")
    return PROCEDURES[name]
