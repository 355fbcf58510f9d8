"""SA-SV's own counts (arXiv 2511.16618, table 1), to hold converted data against, and why they may
differ."""

from __future__ import annotations

from dataclasses import dataclass

from sam2s.masklets.vocabulary import SA_SV_TITLES


@dataclass(frozen=True, slots=True)
class SaSvRow:
    """One line of the table; None where it prints a dash. Stills have no videos and masklets
    there."""

    split: str
    title: str
    videos: int | None
    frames: int
    instrument_masks: int | None
    tissue_masks: int | None
    masklets: int | None
    why: str


_HAND = (
    "identities and masks were corrected by hand in SA-SV; ours are as published, linked by rule"
)
TABLE: tuple[SaSvRow, ...] = (
    SaSvRow("train", "ART-Net", None, 816, 816, None, None, "both parts of the source, positive pictures only"),
    SaSvRow("train", "BKAI-IGH", None, 1000, None, 1176, None, "polyps are components; SA-SV's least size is unknown"),
    SaSvRow("train", "DSAD-I", None, 4177, None, 4864, None, "SA-SV's rule for images and videos is not published"),
    SaSvRow("train", "Endoscapes", None, 468, 936, 1288, None, "SA-SV has 468 of the 493 labelled frames, why is unknown"),
    SaSvRow("train", "Kvasir-SEG", None, 1000, None, 1064, None, "polyps are components of JPEG masks"),
    SaSvRow("train", "RoboTool", None, 514, 1008, None, None, "tools are components; tools that touch count as one"),
    SaSvRow("train", "AutoLaparo", 300, 1800, 2905, 1057, 738, _HAND),
    SaSvRow("train", "CholecSeg8k", 45, 4338, 21136, 6242, 300, "the table's mask columns look swapped; which clips make "
        "the 45 videos is not published, the source has 8,080 frames; " + _HAND),
    SaSvRow("train", "CIS", 10, 19029, 31416, None, 77, _HAND),
    SaSvRow("train", "ClinicDB", 29, 612, None, 647, 32, _HAND),
    SaSvRow("train", "DSAD-V", 76, 4390, None, 4248, 91, "SA-SV's rule for images and videos is not published"),
    SaSvRow("train", "GraSP", 13, 3449, 9025, None, 130, "at 35 s a frame identities are by class and side; " + _HAND),
    SaSvRow("test", "CIS", 4, 7229, 10971, None, 31, _HAND),
    SaSvRow("test", "EndoVis17", 3, 900, 2265, None, 10, "without the test masks 225 of 300 frames a video; " + _HAND),
    SaSvRow("test", "EndoVis18", 4, 596, 1676, 807, 28, "instruments are united parts unless the extra package is there; "
        + _HAND),
    SaSvRow("test", "Hyst-YT", 6, 1973, 4113, None, 19, "no public download is known"),
    SaSvRow("test", "PolypGen", 21, 2037, None, 1761, 24, "which two of the 23 sequences SA-SV leaves out is unknown; "
        + _HAND),
    SaSvRow("test", "RARP50", 10, 3252, 10656, None, 81, "tools that cross may be one component; " + _HAND),
    SaSvRow("test", "SurgAI3.8k", 51, 3817, None, 3817, 51, "the source's paper says 3,800 pictures of 79 videos"),
)  # fmt: skip


def sasv_rows(title: str, split: str) -> tuple[SaSvRow, ...]:
    """The lines that one of our sources makes in a split; DSAD makes two."""
    name = SA_SV_TITLES.get(title)
    names = (name, f"{name}-I", f"{name}-V")
    return tuple(row for row in TABLE if row.split == split and row.title in names)
