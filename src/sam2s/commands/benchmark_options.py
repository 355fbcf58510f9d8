"""What ``sam2s benchmark`` and ``sam2s evaluate`` can be asked, as typed values. Imports nothing
heavy."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from tyro.conf import OmitArgPrefixes, Positional, UseAppendAction, arg

from sam2s.benchmark.scoring_rules import BENCHMARK, EVERY_FRAME, ScoringRules

MemoryRule = Literal["auto", "recent", "diverse", "pruned", "distractor", "samurai", "tree"]
Precision = Literal["auto", "fp32", "bf16"]
Grouping = Literal["video", "object", "class"]
PromptKind = Literal["1-click", "3-click", "5-click", "box", "mask"]


@dataclass(frozen=True, slots=True)
class Benchmark:
    """Score a model on annotated videos: prompt each object once, track to the end, measure J, F
    and J&F."""

    data: Positional[Path]
    """A folder in the masklet layout, or a DAVIS palette folder."""
    model: str = "nano"
    """nano, a Hugging Face id, a model folder, or a .safetensors or .pt file."""
    weights_map: Annotated[Path | None, arg(metavar="FILE")] = None
    """Other names for the tensors of somebody else's weights (docs/weights.md)."""
    memory: Annotated[str, arg(metavar="RULE,...")] = "auto"
    """recent (SAM 2), diverse (DiveMem), pruned, distractor, samurai, tree, or auto: the one saved
    with the model. Several with commas are scored one after another and shown side by side."""
    prompt: PromptKind = "3-click"
    """What every object is prompted with, on the first annotated frame that shows it."""
    suite: Literal["none", "sa-sv", "long-term"] = "none"
    """sa-sv: the test videos of SA-SV's sources in DATA, a masklet folder or one for each source.
    long-term: synthetic videos of 600 frames, made in DATA where they are not there yet."""
    rules: OmitArgPrefixes[ScoringRules] = BENCHMARK
    json: Annotated[Path | None, arg(metavar="FILE")] = None
    """Write all scores to this file."""
    report: Annotated[Path | None, arg(metavar="DIR")] = None
    """Write results.json, report.md, plots, masks and pictures of the worst and the best objects
    into this folder."""
    masks: Annotated[Path | None, arg(metavar="DIR")] = None
    """Also keep the model's masks here, for sam2s evaluate."""
    video: Annotated[UseAppendAction[tuple[str, ...]], arg(metavar="NAME")] = ()
    """Score only this video; give it again for more."""
    object: Annotated[UseAppendAction[tuple[str, ...]], arg(metavar="ID")] = ()
    """Prompt only this object (of every video, or VIDEO/ID); give it again for more."""
    per: UseAppendAction[tuple[Grouping, ...]] = ()
    """Also print the scores of each video, object or class, the worst first."""
    shard: Annotated[str | None, arg(metavar="I/N")] = None
    """Score one part of the videos, such as 2/8, or any: whichever no other worker has. Workers
    share the folder of the result file; the last one writes the result."""
    reclaim: bool = False
    """With --shard, when no worker is running: take over at once what dead workers had claimed."""
    ray: Annotated[str | None, arg(metavar="ADDRESS")] = None
    """Spread the videos over a Ray cluster that is there already: auto, host:6379 or
    ray://host:10001."""
    floors: bool = False
    """Also score two baselines without a model: the first mask, unmoved, and the same carried along
    by optical flow."""
    image_size: Annotated[int | None, arg(metavar="PIXELS")] = None
    """Side of the model's square input in pixels; by default the model's own."""
    device: str = "auto"
    """auto (the first GPU, else the CPU), cpu, cuda, cuda:1, mps, ..."""
    precision: Precision = "auto"
    """auto: bf16 on a GPU that computes it, fp32 elsewhere."""
    exclusive: bool = False
    """A pixel belongs to one object at most, the more certain one of those tracked together."""


@dataclass(frozen=True, slots=True)
class Evaluate:
    """Score masks on disk against true masks (J, F and J&F by the DAVIS 2017 definition)."""

    pred: Path
    """Folder with the predicted masks (masklet layout or DAVIS palette)."""
    gt: Path
    """Folder with the true masks, in either layout."""
    rules: OmitArgPrefixes[ScoringRules] = EVERY_FRAME
    video: Annotated[UseAppendAction[tuple[str, ...]], arg(metavar="NAME")] = ()
    """Score only this video; give it again for more."""
    object: Annotated[UseAppendAction[tuple[str, ...]], arg(metavar="ID")] = ()
    """Score only this object (of every video, or VIDEO/ID); give it again for more."""
    per: UseAppendAction[tuple[Grouping, ...]] = ()
    """Also print the scores of each video, object or class, the worst first."""
    json: Annotated[Path | None, arg(metavar="FILE")] = None
    """Write all scores to this file."""
