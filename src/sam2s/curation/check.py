"""``check``: a ranked list of what looks wrong in the labels of a masklet folder."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from sam2s.curation.check_leaks import LeakCheck, recording_leaks
from sam2s.curation.check_marks import marks
from sam2s.curation.check_sheet import Tile, close_up, write_sheet
from sam2s.curation.check_video import Finding, VideoCheck
from sam2s.masklets.masklets import MASK_FOLDERS, MaskletFolder, open_masklets
from sam2s.masklets.provenance import read_provenance
from sam2s.media.pictures import read_picture
from sam2s.progress import progress_bar

KINDS = {
    "swap": "two objects change names between neighbouring frames",
    "class": "an object ends where one of another class begins",
    "identity": "an object ends where another of its class begins",
    "jump": "a mask moves much further than it usually does",
    "flicker": "an object is absent for one frame",
    "specks": "tiny components beside the object",
    "full": "a mask covers the whole picture",
    "empty": "an object has no pixel anywhere",
    "values": "mask files with more than two values, or with different palettes",
    "unlabelled": "frames without any annotation",
    "leak": "one picture or recording in two splits",
}


@dataclass(slots=True)
class CheckReport:
    """``findings``: worst first."""

    videos: int = 0
    frames: int = 0
    masks: int = 0
    findings: list[Finding] = field(default_factory=list)

    def counts(self) -> Counter[str]:
        """{kind: number of findings}."""
        return Counter(finding.kind for finding in self.findings)

    def to_json(self) -> dict[str, Any]:
        """Plain values, ready for ``json.dumps``."""
        return asdict(self) | {"counts": dict(self.counts())}


def check(root: Path | str, *, leaks: bool = True, progress: bool = False) -> CheckReport:
    """Look through every mask, and with ``leaks`` every picture, of a masklet folder. Raises as
    ``open_masklets``.

    What is found is a doubt, not a verdict: look at it (``write_check_sheet``).
    """
    folder = open_masklets(root)
    report = CheckReport()
    fingerprints = LeakCheck()
    splits = {video.info.split for video in folder.videos.values()} - {None}
    for name, video in progress_bar(
        len(folder.videos), "checking", "video", over=folder.videos.items(), shown=progress
    ):
        walk = VideoCheck(video)
        report.findings += walk.findings()
        report.findings += file_findings(folder, name)
        report.videos, report.frames, report.masks = (
            report.videos + 1,
            report.frames + len(video),
            report.masks + walk.masks,
        )
        if leaks and len(splits) > 1:
            fingerprints.add(video)
    report.findings += fingerprints.findings()
    report.findings += recording_leaks(folder.videos, read_provenance(Path(root)).videos)
    report.findings.sort(key=lambda f: (-f.score, f.kind, f.video, f.object_id or 0, f.frames))
    return report


def file_findings(folder: MaskletFolder, video: str) -> Iterator[Finding]:
    """Mask files of one video that are not black and white, or whose palettes differ: edges
    softened by an editor or by lossy compression, and colour tables that drifted."""
    base = next(
        (
            folder.root / part / video
            for part in MASK_FOLDERS
            if (folder.root / part / video).is_dir()
        ),
        None,
    )
    if base is None:
        return
    soft: list[str] = []
    palettes: dict[bytes, str] = {}
    for path in sorted(base.rglob("*.png")):
        picture = read_picture(path)
        if picture.mode == "P":
            palettes.setdefault(bytes(picture.getpalette() or []), path.stem)
        elif (
            picture.mode != "1" and path.parent != base and len(np.unique(np.asarray(picture))) > 2
        ):
            soft.append(f"{path.parent.name}/{path.stem}")
    if soft:
        detail = f"{len(soft)} mask files hold more than two values, such as {soft[0]}.png"
        yield Finding(
            "values", video, None, tuple(Path(name).name for name in soft[:8]), 0.7, detail
        )
    if len(palettes) > 1:
        detail = f"{len(palettes)} different palettes, first seen on {', '.join(palettes.values())}"
        yield Finding("values", video, None, tuple(palettes.values())[:8], 0.6, detail)


def check_table(report: CheckReport, limit: int = 40) -> str:
    """The worst findings and the number of each kind, for the terminal."""
    lines = [
        f"{report.videos} videos, {report.frames} frames, {report.masks} masks:"
        f" {len(report.findings)} findings"
    ]
    lines += [
        f"  {kind:<10} {count:>6}  {KINDS[kind]}" for kind, count in report.counts().most_common()
    ]
    for finding in report.findings[:limit]:
        where = finding.video + (
            f" object {finding.object_id}" if finding.object_id is not None else ""
        )
        frames = f" frames {', '.join(finding.frames)}" if finding.frames else ""
        lines.append(f"{finding.score:.2f} {finding.kind:<10} {where}{frames}: {finding.detail}")
    if len(report.findings) > limit:
        lines.append(f"... and {len(report.findings) - limit} more")
    return "\n".join(lines)


def write_check_sheet(
    root: Path | str, report: CheckReport, path: Path | str, count: int = 24
) -> None:
    """The worst findings that name frames as a contact sheet: two frames each, or one and a
    close-up, three findings a row, with a red frame around what each is about."""
    folder = open_masklets(root)
    tiles: list[Tile] = []
    for rank, finding in enumerate(f for f in report.findings if f.frames):
        if rank == count:
            break
        video = folder.videos[finding.video]
        who = "" if finding.object_id is None else f" #{finding.object_id}"
        shown = []
        for name in finding.frames[-2:]:
            caption = f"{finding.kind}{who} {name} {video.name}"
            index = video.frame_names.index(name)
            shown.append(Tile(video, index, caption, marks(finding, video, name)))
        if len(shown) == 1:
            window = close_up(video, shown[0].marks[0])
            shown.append(replace(shown[0], caption="... close up", window=window))
        tiles += shown
    write_sheet(path, tiles, columns=6)
