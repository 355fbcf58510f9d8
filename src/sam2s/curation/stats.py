"""What a masklet folder holds, in numbers: by source and split, by class, beside SA-SV's own
counts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

from sam2s.curation.sa_sv_table import SaSvRow, sasv_rows
from sam2s.masklets.masklets import MaskletVideo, open_masklets
from sam2s.masklets.provenance import NOWHERE, VideoOrigin, read_provenance
from sam2s.progress import progress_bar


@dataclass(slots=True)
class Counts:
    """``masks``: not empty; ``masklets``: objects of videos (of more than one frame); ``stills``:
    videos of one frame; ``seconds``: true time covered, of the videos where it is known; ``timed``:
    how many those are."""

    videos: int = 0
    stills: int = 0
    frames: int = 0
    instrument_masks: int = 0
    tissue_masks: int = 0
    masklets: int = 0
    seconds: float = 0.0
    timed: int = 0

    @property
    def masks(self) -> int:
        """Masks that are not empty, of instruments and of tissue."""
        return self.instrument_masks + self.tissue_masks


@dataclass(slots=True)
class ClassCounts:
    """One class (None: no type given). ``frames``: masks divided by masklets gives the mean
    presence."""

    kind: str
    masklets: int = 0
    masks: int = 0


@dataclass(frozen=True, slots=True)
class Comparison:
    """One source and split beside SA-SV's count of it. ``paper``: DSAD's two lines are added up."""

    source: str
    split: str
    ours: Counts
    paper: Counts
    why: str


@dataclass(slots=True)
class MaskletStats:
    """``by_source``: {(source, split): counts}; ``by_class``: {source: {class: counts}}."""

    total: Counts = field(default_factory=Counts)
    by_source: dict[tuple[str, str], Counts] = field(default_factory=dict)
    by_class: dict[str, dict[str, ClassCounts]] = field(default_factory=dict)
    comparisons: list[Comparison] = field(default_factory=list)

    def to_json(self) -> dict[str, Any]:
        """Plain values, ready for ``json.dumps``."""
        return {
            "total": asdict(self.total),
            "sources": [
                {"source": source, "split": split} | asdict(counts)
                for (source, split), counts in self.by_source.items()
            ],
            "classes": {
                source: {name: asdict(counts) for name, counts in classes.items()}
                for source, classes in self.by_class.items()
            },
            "sa-sv": [asdict(comparison) for comparison in self.comparisons],
        }


def stats(
    root: Path | str, against: Literal["sa-sv"] | None = None, progress: bool = False
) -> MaskletStats:
    """Count a masklet folder; every mask is read, since an empty one says absent. Raises as
    ``open_masklets``."""
    folder = open_masklets(root)
    origins = read_provenance(Path(root)).videos
    result = MaskletStats()
    videos = folder.videos.values()
    for video in progress_bar(len(videos), "counting", "video", over=videos, shown=progress):
        source, split = video.info.source or "unnamed", video.info.split or "none"
        counts = count_video(
            video, origins.get(video.name, NOWHERE), result.by_class.setdefault(source, {})
        )
        _add(result.by_source.setdefault((source, split), Counts()), counts)
        _add(result.total, counts)
    if against == "sa-sv":
        result.comparisons = compare(result.by_source)
    return result


def count_video(
    video: MaskletVideo, origin: VideoOrigin, classes: dict[str, ClassCounts]
) -> Counts:
    """Counts of one video; adds its objects to ``classes``. ``origin``: its entry of
    ``sources.json``, or `NOWHERE`."""
    single = len(video) == 1
    counts = Counts(videos=int(not single), stills=int(single), frames=len(video))
    for object_id, known in video.info.objects.items():
        read = (video.mask(object_id, t) for t in video.annotated(object_id))
        masks = sum(mask is not None and bool(mask.any()) for mask in read)
        name = known.class_name or f"{known.kind} (no type)"
        entry = classes.setdefault(name, ClassCounts(known.kind))
        entry.masklets += int(not single)
        entry.masks += masks
        counts.masklets += int(not single)
        if known.kind == "instrument":
            counts.instrument_masks += masks
        else:
            counts.tissue_masks += masks
    seconds = duration(video, origin)
    if seconds is not None and not single:
        counts.seconds, counts.timed = seconds, 1
    return counts


def duration(video: MaskletVideo, origin: VideoOrigin) -> float | None:
    """Seconds from the first frame to the end of the last: by true times, else by the frame rate;
    None = unknown."""
    times = [frame.time_s for frame in origin.frames.values()]
    known = [time for time in times if time is not None]
    if len(known) > 1 and len(known) == len(times):
        return (max(known) - min(known)) * len(times) / (len(times) - 1)
    return None if video.info.fps is None else len(video) / video.info.fps


def compare(by_source: Mapping[tuple[str, str], Counts]) -> list[Comparison]:
    """Sources and splits that SA-SV has, beside its counts; the other ones have nothing to be
    compared with."""
    comparisons = []
    for (source, split), ours in by_source.items():
        rows = sasv_rows(source, split)
        if rows:
            comparisons.append(Comparison(source, split, ours, _paper(rows), rows[0].why))
    return comparisons


def _paper(rows: Sequence[SaSvRow]) -> Counts:
    total = Counts()
    for row in rows:
        total.videos += row.videos or 0
        total.stills += row.frames if row.videos is None else 0
        total.frames += row.frames
        total.instrument_masks += row.instrument_masks or 0
        total.tissue_masks += row.tissue_masks or 0
        total.masklets += row.masklets or 0
    return total


def _add(total: Counts, counts: Counts) -> None:
    for name in Counts.__slots__:
        setattr(total, name, getattr(total, name) + getattr(counts, name))
