"""Unified class names of instruments and tissues, and what kind each one is.

The names follow SAM2S (arXiv 2511.16618), figure 1b, for surgical tools and organs. The laryngeal
names at the end of each list are ours: the paper's sources hold no laryngoscopy. A masklet whose
source names no type carries no class (``None``) rather than an invented one. Tables from the names
of each public source to these belong here as well.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Literal, get_args

from sam2s.errors import InputError

Kind = Literal["instrument", "tissue"]
KINDS: tuple[Kind, ...] = get_args(Kind)

INSTRUMENTS: tuple[str, ...] = (
    "ligature",
    "grasper",
    "dissect & grasp",
    "hook",
    "needle driver",
    "bipolar forceps",
    "prograsp forceps",
    "monopolar scissors",
    "clip applier",
    "scissors",
    "bipolar",
    "suction",
    "snare",
    "vessel sealer",
    "grasper retractor",
    "US probe",
    "needle holder",
    "catheter",
    "clamp",
    "suturing needle",
    "thread",
    "intubation tube",
)

TISSUES: tuple[str, ...] = (
    "uterus",
    "liver",
    "fat",
    "abdominal wall",
    "polyp",
    "GI tract",
    "gallbladder",
    "connective tissue",
    "cystic duct",
    "liver ligament",
    "hepatic vein",
    "colon",
    "spleen",
    "small intestine",
    "kidney parenchyma",
    "covered kidney",
    "stomach",
    "pancreas",
    "ureter",
    "vesicular glands",
    "inferior mesenteric artery",
    "intestinal veins",
    "cystic plate",
    "hepatocystic triangle",
    "cystic artery",
    "vocal fold",
    "glottis",
    "laryngeal lesion",
)


def _all(names: Iterable[str], kind: Kind) -> dict[str, Kind]:
    return dict.fromkeys(names, kind)


_KIND = _all(INSTRUMENTS, "instrument") | _all(TISSUES, "tissue")


def is_known(name: str) -> bool:
    """Whether ``name`` is a unified class name (exact spelling)."""
    return name in _KIND


def kind_of(name: str) -> Kind:
    """``"instrument"`` or ``"tissue"`` for a unified class name; InputError for any other."""
    try:
        return _KIND[name]
    except KeyError:
        raise InputError(
            f"class {name!r}: not a unified class name; use one of"
            " sam2s.masklets.vocabulary.INSTRUMENTS or TISSUES"
        ) from None


SA_SV_TITLES: Mapping[str, str] = {
    "ART-Net": "ART-Net",
    "BKAI-IGH": "BKAI-IGH",
    "DSAD": "DSAD",
    "Endoscapes2023": "Endoscapes",
    "Kvasir-SEG": "Kvasir-SEG",
    "RoboTool": "RoboTool",
    "AutoLaparo": "AutoLaparo",
    "CholecSeg8k": "CholecSeg8k",
    "CholecInstanceSeg": "CIS",
    "CVC-ClinicDB": "ClinicDB",
    "GraSP": "GraSP",
    "EndoVis17": "EndoVis17",
    "EndoVis18": "EndoVis18",
    "Hyst-YT": "Hyst-YT",
    "PolypGen": "PolypGen",
    "SAR-RARP50": "RARP50",
    "SurgAI3.8k": "SurgAI3.8k",
}
"""Our name of a source -> its name in the table of SA-SV (arXiv 2511.16618, table 1)."""
