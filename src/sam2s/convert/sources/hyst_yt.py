"""Hyst-YT: hysterectomy videos of SA-SV's test part. Nothing of its layout is published, so the
user arranges it."""

from __future__ import annotations

from sam2s.convert.sources.base import SourceInfo
from sam2s.convert.sources.folder import EXPECTED, OPTIONS, folder_source

SOURCE = folder_source(
    SourceInfo(
        name="hyst-yt",
        title="Hyst-YT",
        get="no public download known (cited as arXiv 2506.23759)",
        licence="unconfirmed",
        holds="6 videos, 1,973 frames, 4,113 instrument masks (as SA-SV counts them)",
        shape="video",
        procedure="hysterectomy",
        split="SA-SV tests on all",
        expected=EXPECTED,
        options=OPTIONS,
    )
)
OWN = folder_source(
    SourceInfo(
        name="folder",
        title="folder",
        get="your own data",
        licence="yours",
        holds="any videos, arranged as described",
        shape="video",
        procedure="unknown",
        split="by the option split",
        expected=EXPECTED,
        options=OPTIONS,
    )
)
