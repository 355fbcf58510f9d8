"""What ``sam2s live`` can be asked, as typed values. Imports nothing heavy."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from tyro.conf import Positional, UseAppendAction, arg

from sam2s.commands.benchmark_options import MemoryRule, Precision


@dataclass(frozen=True, slots=True)
class Live:
    """Track behind a camera: frames are dropped, never queued; clicks come in while it runs.

    Example: sam2s live v4l2:/dev/video0 --page

    At least one way out is needed (page, window, jsonl, stream or record). Objects are named at the
    start, on the page, in the window, or by JSON lines. Prints latencies at the end; docs/live.md
    has more.
    """

    source: Positional[str]
    """A device (v4l2:/dev/video0), an address (rtsp://...), a pipe (pipe:NAME or - for the standard
    input), or a file, which is played at its own pace."""
    click: Annotated[UseAppendAction[tuple[str, ...]], arg(metavar="ID:X,Y[,+|-]")] = ()
    """A click on the first frame, as for track."""
    box: Annotated[UseAppendAction[tuple[str, ...]], arg(metavar="ID:X0,Y0,X1,Y1")] = ()
    """A box on the first frame."""
    mask: Annotated[UseAppendAction[tuple[str, ...]], arg(metavar="ID:FILE")] = ()
    """A picture that is not black where object ID is on the first frame."""
    page: bool = False
    """Serve a page on this machine: the live picture, and clicks in it; MJPEG for players too."""
    port: int = 0
    """Port of the page; by default a free one."""
    window: bool = False
    """Open a window (needs an OpenCV that can)."""
    stdin: bool = False
    """Follow JSON lines on the standard input, such as {"action": "click", "object": 1, "x": 640,
    "y": 400}."""
    jsonl: Annotated[str | None, arg(metavar="FILE")] = None
    """Masks as JSON lines, to a file or - for the standard output."""
    stream: Annotated[UseAppendAction[tuple[str, ...]], arg(metavar="ADDRESS")] = ()
    """Send the overlay to rtsp://, udp://, srt://, rtmp://, or a loopback device
    (v4l2:/dev/video9)."""
    record: Annotated[Path | None, arg(metavar="DIR")] = None
    """Write raw.mkv, overlay.mkv and tracks.json, frame for frame in one clock, into a new
    folder."""
    report: Annotated[Path | None, arg(metavar="FILE")] = None
    """Write latencies and counts as JSON."""
    raw: Annotated[str | None, arg(metavar="WxH[:FORMAT]")] = None
    """The pipe holds raw frames of this size: rgb24 (the default), bgr24, gray, rgba, bgra, yuv420p
    or nv12."""
    pace: float = 1.0
    """Speed of a file: 1 is its own."""
    reconnect: Annotated[float, arg(metavar="SECONDS")] = 60.0
    """How long to try to reach a camera or stream that went away; tracks are kept. 0: its end is
    the end."""
    blank_out_of_body: bool = False
    """Black out, and do not track or record, pictures that look as if the camera were outside the
    patient: a simple rule by colours (docs/live.md)."""
    limit: Annotated[int | None, arg(metavar="FRAMES")] = None
    """End after so many tracked frames."""
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
    compile: bool = False
    """Compile the image encoder first, which takes a minute or so and needs a C++ compiler, on a
    GPU Triton: for long videos and days (docs/speed.md)."""
    exclusive: bool = False
    """A pixel belongs to one object at most, the more certain one."""
