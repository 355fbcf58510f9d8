"""What can be asked on the command line, as typed values. Imports nothing heavy, so that help
answers at once."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from tyro.conf import Positional, UseAppendAction, arg

from sam2s.commands.batch_options import Batch
from sam2s.commands.benchmark_options import Benchmark, Evaluate, MemoryRule, Precision
from sam2s.commands.data_options import Data
from sam2s.commands.live_options import Live
from sam2s.commands.measure_options import Measure
from sam2s.commands.train_options import Train


@dataclass(frozen=True, slots=True)
class Track:
    """Track objects through a video, from clicks, boxes or masks on one frame.

    Example: sam2s track op.mp4 --out out/op --click 1:640,400 --click 1:600,380,- --box
    2:10,20,200,180

    Writes one mask per object and frame, and tracks.json. Frames before --frame are skipped. Exit
    codes: 0 done, 2 the input cannot be used, 3 the video broke on the way (masks up to there are
    kept), 130 interrupted (also kept).
    """

    source: Positional[str]
    """A video file, a folder of pictures, a URL, a device FFmpeg can open, pipe:NAME of a named
    pipe, or - for the standard input."""
    out: Path
    """Folder for the results."""
    click: Annotated[UseAppendAction[tuple[str, ...]], arg(metavar="ID:X,Y[,+|-][@WHEN]")] = ()
    """A click in source pixels on object ID, a number that you invent (1, 2, ...): + on the object
    (the default), - beside it; WHEN is a frame (@120) or a time (@01:05)."""
    box: Annotated[UseAppendAction[tuple[str, ...]], arg(metavar="ID:X0,Y0,X1,Y1[@WHEN]")] = ()
    """A box around object ID: left, top, right, bottom in source pixels."""
    mask: Annotated[UseAppendAction[tuple[str, ...]], arg(metavar="ID:FILE[@WHEN]")] = ()
    """A picture of the source's size, not black where object ID is."""
    frame: int = 0
    """Number of the frame that prompts without @FRAME are on, counted from 0."""
    prompts: Annotated[Path | None, arg(metavar="FILE")] = None
    """Prompts from a JSON or CSV file (docs/prompts.md), before those typed here."""
    absent: Annotated[UseAppendAction[tuple[str, ...]], arg(metavar="ID:FROM-TO")] = ()
    """Object ID is not in view on these frames: it gets no mask there, and its memory waits."""
    frames: Annotated[str | None, arg(metavar="FROM:TO")] = None
    """Track only these frames, both included; either may be left out."""
    time: Annotated[str | None, arg(metavar="FROM-TO")] = None
    """Track only this stretch of time, as in 01:30-02:05.5."""
    direction: Literal["forward", "backward", "both"] = "forward"
    """From each object's first prompt on, from its last one back, or from its first both ways."""
    update: Annotated[Path | None, arg(metavar="RESULT")] = None
    """Go on from an earlier run's folder: only objects with new prompts are tracked, from the first
    of these on."""
    stream: Annotated[int | None, arg(metavar="N")] = None
    """Which video stream of a file that holds several, counted from 0; by default its main one."""
    playlist: bool = False
    """The source may be a playlist (HLS, DASH), an ffconcat script or an SDP file, and opens the
    files and addresses it names; without this a file opens no other."""
    model: str = "nano"
    """nano, a Hugging Face id such as facebook/sam2.1-hiera-base-plus, a folder, or a .safetensors
    or .pt file."""
    weights_map: Annotated[Path | None, arg(metavar="FILE")] = None
    """Other names for the tensors of somebody else's weights (docs/weights.md)."""
    memory: MemoryRule = "auto"
    """recent (SAM 2), diverse (DiveMem), a rival rule, or auto: the one that the model was made
    for."""
    image_size: Annotated[int | None, arg(metavar="PIXELS")] = None
    """Side of the model's square input in pixels, a multiple of 32; by default the model's own."""
    format: Literal["sav", "davis"] = "sav"
    """Masks as one folder per object (sav), or as one palette picture per frame (davis)."""
    replace: bool = False
    """Replace what an earlier run left in OUT; else it is moved to OUT/earlier-1, ..."""
    exclusive: bool = False
    """A pixel belongs to one object at most, the more certain one; always so with --format
    davis."""
    overlay: Annotated[Path | None, arg(metavar="FILE")] = None
    """Also write a video of the source with the masks drawn on it, e.g. overlay.mp4."""
    device: str = "auto"
    """auto (the first GPU, else the CPU), cpu, cuda, cuda:1, mps, ..."""
    precision: Precision = "auto"
    """auto: bf16 on a GPU that computes it, fp32 elsewhere."""
    compile: bool = False
    """Compile the image encoder first, which takes a minute or so and needs a C++ compiler, on a
    GPU Triton: for long videos and days (docs/speed.md)."""


@dataclass(frozen=True, slots=True)
class Preview:
    """See before you track: one frame as a picture, with pixels counted at its edges and the masks
    that prompts give.

    Example: sam2s preview op.mp4 --time 01:05 --click 1:640,400
    """

    source: Positional[str]
    """A video file, a folder of pictures, or a picture."""
    out: Annotated[Path, arg(metavar="FILE")] = Path("preview.png")
    """The picture to write: png or jpg."""
    frame: int = 0
    """Number of the frame, counted from 0."""
    time: Annotated[str | None, arg(metavar="MM:SS")] = None
    """The frame at this time instead."""
    click: Annotated[UseAppendAction[tuple[str, ...]], arg(metavar="ID:X,Y[,+|-]")] = ()
    """A click on object ID, as for track."""
    box: Annotated[UseAppendAction[tuple[str, ...]], arg(metavar="ID:X0,Y0,X1,Y1")] = ()
    """A box around object ID, as for track."""
    mask: Annotated[UseAppendAction[tuple[str, ...]], arg(metavar="ID:FILE")] = ()
    """A picture that is not black where object ID is."""
    model: str = "nano"
    """As for track; not read where there is no prompt."""
    weights_map: Annotated[Path | None, arg(metavar="FILE")] = None
    """Other names for the tensors of somebody else's weights (docs/weights.md)."""
    image_size: Annotated[int | None, arg(metavar="PIXELS")] = None
    """Side of the model's square input in pixels; by default the model's own."""
    device: str = "auto"
    """auto (the first GPU, else the CPU), cpu, cuda, cuda:1, mps, ..."""


@dataclass(frozen=True, slots=True)
class Export:
    """Give a result to other tools: masks, tracks and measures in their formats.

    Example: sam2s export out/op --to coco out/op-coco

    What a format cannot hold is said before anything is written; what it can is read back and
    compared. docs/formats.md says what each one keeps.
    """

    result: Positional[Path]
    """The folder that track wrote, or a folder of masks (Annotations/<video>/<object>/<frame>.png);
    of several videos each gets a folder in OUT."""
    out: Positional[Path]
    """Folder to make."""
    to: Literal[
        "coco",
        "sa-v",
        "davis",
        "youtube-vos",
        "mots-txt",
        "mots-png",
        "cvat",
        "labelme",
        "label-studio",
        "datumaro",
        "mask-video",
        "nifti",
        "dicom-seg",
        "dicom-sc",
        "csv",
        "yolo-seg",
        "onnx",
    ] = "coco"
    """The format. onnx exports a model instead: RESULT is its name or path (docs/onnx.md)."""
    polygons: bool = False
    """Outlines instead of masks, in COCO, CVAT (then real tracks) and LabelMe; holes are lost."""
    uncompressed: bool = False
    """Run lengths as lists of numbers instead of text, in COCO."""
    pictures: Annotated[Path | None, arg(metavar="SOURCE")] = None
    """The video or folder that was tracked, whose pictures go into dicom-seg."""
    video: Annotated[str | None, arg(metavar="NAME")] = None
    """Only this video of a folder that holds several."""
    anonymise: bool = False
    """Leave out the names of videos and of classes that a person typed, and dates: video_0001,
    class_001, ..."""
    mapping: Annotated[Path | None, arg(metavar="FILE")] = None
    """With --anonymise: write here, in JSON, which name stands for which; names that the file holds
    already stay the same. Keep it apart from OUT."""
    allow_loss: bool = False
    """Write although the format cannot hold all of the result: overlap, or numbers of objects."""


@dataclass(frozen=True, slots=True)
class Annotate:
    """Click, track, correct and export in a web page on this machine; nothing leaves it.

    Example: sam2s annotate op.mp4

    Prints the page's address and opens it. The project folder holds everything but the videos; a
    second start with it goes on where the first stopped.
    """

    sources: Positional[tuple[str, ...]] = ()
    """Videos, folders of pictures, or folders of videos; none to go on with --project."""
    project: Annotated[Path | None, arg(metavar="DIR")] = None
    """Folder of the project, made where there is none; by default NAME.sam2s beside the first
    video."""
    model: str = "nano"
    """As for track."""
    memory: MemoryRule = "auto"
    """As for track."""
    image_size: Annotated[int | None, arg(metavar="PIXELS")] = None
    """Side of the model's square input in pixels; by default the model's own."""
    device: str = "auto"
    """auto (the first GPU, else the CPU), cpu, cuda, cuda:1, mps, ..."""
    precision: Precision = "auto"
    """auto: bf16 on a GPU that computes it, fp32 elsewhere."""
    port: int = 0
    """Port of the page; 0: a free one."""
    host: str = "127.0.0.1"
    """Address to listen at. Any that others reach needs a password in SAM2S_PASSWORD, and a proxy
    with TLS in front."""
    no_browser: bool = False
    """Print the address only."""


@dataclass(frozen=True, slots=True)
class Synth:
    """Make synthetic surgical videos with exact masks, in the masklet layout."""

    out: Positional[Path]
    """Folder to make."""
    videos: int = 10
    """How many videos."""
    frames: int = 150
    """Frames of each video."""
    size: int = 256
    """Side of the square pictures in pixels."""
    seed: int = 0
    """The same seed gives the same videos."""
    procedure: Annotated[str | None, arg(metavar="NAME")] = None
    """Make only this procedure, e.g. cholecystectomy; by default they are mixed."""
    split: Literal["train", "val", "test"] = "train"
    """What the videos are for; train leaves out the procedure that is held out for the others."""
    workers: int = 1
    """Processes that make videos at the same time."""


@dataclass(frozen=True, slots=True)
class Demo:
    """Track two instruments in a short synthetic surgical video, which comes with the package, from
    a few clicks, and score the masks against the true ones."""

    out: Path = Path("out/demo")
    """Folder for the results."""
    model: str = "nano"
    """The model to show."""
    seed: Annotated[int | None, arg(metavar="N")] = None
    """Draw a new scene from this seed instead (needs pip install 'sam2s[synth]')."""
    device: str = "auto"
    """auto (the first GPU, else the CPU), cpu, cuda, cuda:1, mps, ..."""


Command = (
    Track
    | Live
    | Batch
    | Preview
    | Annotate
    | Export
    | Measure
    | Benchmark
    | Evaluate
    | Synth
    | Train
    | Data
    | Demo
)
