"""Damaged inputs, and what the product makes of them.

python scripts/fuzz.py [--inputs 1000] [--seed 0] [--kinds video picture weights catalogue]
    [--only NAME] [--keep DIR] [--seconds 60]

Healthy inputs of every kind are made (``fuzz_inputs.py``), damaged one at a time, and read by a
child process with limits of time and memory. Each must end in what it holds, or in one line:

- traceback: an error that is none of the product's own
- hang: more than ``--seconds`` of processor time, or four times that on the clock
- crash: the process was ended by a signal
- memory: more than 1.5 GB
- short: a video is read without a word to fewer frames than its container states, or than FFmpeg
  shows of it
- lost: ... than it had before the damage, although its format tells how many it should be; where
  the format does not tell, as where a stream may be cut anywhere, it is counted as "fewer"

Ends with 1 when any of these happened. ``--keep DIR`` stores what did it. The same seed makes the
same damage on the same versions of PyAV and Pillow.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import random
import resource
import select
import shutil
import signal
import sys
import tempfile
import time
import traceback
from collections import Counter, defaultdict
from collections.abc import Callable
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from fuzz_inputs import Healthy, damaged, damaged_json, healthy

KINDS = ("video", "picture", "weights", "catalogue")
BAD = ("traceback", "hang", "crash", "memory", "short", "lost")
MEMORY = 1_500_000_000
"""Bytes that a reader may take, this process's own included."""
SHARES = {"video": 12, "picture": 2, "mask": 2, "weights": 2, "catalogue": 2}
"""How often each kind is drawn."""


@dataclass(frozen=True)
class Verdict:
    """What came out: "whole", "fewer", "broke", "refused", or one of ``BAD``."""

    outcome: str
    detail: str = ""
    frames: int | None = None


def main() -> int:
    """Damage and read so many inputs; gives 1 when one of them did harm."""
    given = _arguments()
    dice = random.Random(given.seed)
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        found = _apart(lambda: _manifest(folder, given.kinds), 900)
        inputs = [Healthy(**{**item, "path": Path(item["path"])}) for item in found]
        inputs = [item for item in inputs if given.only in ("", item.name)]
        begun = time.monotonic()
        for number in range(given.inputs):
            item = _drawn(dice, inputs)
            how, path, broken = _damage(dice, item, inputs, folder / "work")
            verdict = _judge(item, path, given.seconds)
            counts[f"{item.kind}: {item.name}"][verdict.outcome] += 1
            if verdict.outcome in (*BAD, *given.also):
                print(
                    f"#{number} {item.name}, {how}: {verdict.outcome} {verdict.detail}", flush=True
                )
                if given.keep:
                    given.keep.mkdir(parents=True, exist_ok=True)
                    kept = f"{number}_{item.name.replace(' ', '_')}{broken.suffix}"
                    shutil.copyfile(broken, given.keep / kept)
        seconds = time.monotonic() - begun
    total = _report(counts, given.inputs, seconds)
    return int(any(total[outcome] for outcome in BAD))


def _drawn(dice: random.Random, inputs: list[Healthy]) -> Healthy:
    """An input: its kind by ``SHARES``, which of that kind by chance."""
    kinds = sorted({item.kind for item in inputs})
    kind = dice.choices(kinds, [SHARES[kind] for kind in kinds])[0]
    return dice.choice([item for item in inputs if item.kind == kind])


def _manifest(folder: Path, kinds: list[str]) -> list[dict[str, Any]]:
    return [{**asdict(item), "path": str(item.path)} for item in healthy(folder, kinds)]


def _damage(
    dice: random.Random, item: Healthy, inputs: list[Healthy], work: Path
) -> tuple[str, Path, Path]:
    """(what was done, the damaged input, the damaged file in it)."""
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir()
    if item.path.is_dir():
        path = work / item.path.name
        shutil.copytree(item.path, path)
        broken = path / dice.choice(item.parts)
    else:
        path = broken = work / item.path.name
        shutil.copyfile(item.path, path)
    others = [other.path for other in inputs if other.path.is_file()]
    other = dice.choice(others).read_bytes() if others else b""
    data = broken.read_bytes()
    if broken.suffix == ".json" and dice.random() < 0.7:
        how, data = damaged_json(dice, data)
    else:
        how, data = damaged(dice, data, other)
    broken.write_bytes(data)
    return how, path, broken


# ---------------------------------------- one input


def _judge(item: Healthy, path: Path, seconds: float) -> Verdict:
    """What the product makes of an input; whole videos are counted by FFmpeg as well."""
    verdict = _examined(item.kind, path, seconds)
    if item.kind != "video" or verdict.outcome != "whole":
        return verdict
    found = verdict.frames or 0
    counted = _apart(lambda: _ffmpeg_counts(path), seconds)
    stated, shown = counted if isinstance(counted, list) else (0, 0)
    stated -= item.repeats
    if found < stated:
        return Verdict("short", f"{found} frames, the container states {stated}")
    if found < shown:
        return Verdict("short", f"{found} frames, FFmpeg shows {shown}")
    if item.tells and found < item.frames:
        return Verdict("lost", f"{found} frames of {item.frames}")
    return verdict if found >= item.frames else Verdict("fewer", "", found)


def _examined(kind: str, path: Path, seconds: float) -> Verdict:
    answer = _apart(lambda: asdict(_read(kind, path)), seconds)
    return Verdict(**answer) if isinstance(answer, dict) else Verdict(*answer.split(": ", 1))


def _read(kind: str, path: Path) -> Verdict:
    """In the child: read the input as the product does."""
    from sam2s.errors import DamagedSource, Sam2sError

    frames: list[int] = []
    try:
        READERS[kind](path, frames)
    except DamagedSource as error:
        return Verdict("broke", str(error), len(frames))
    except Sam2sError as error:
        return Verdict("refused", str(error), len(frames))
    except MemoryError:
        return Verdict("memory", "MemoryError")
    except BaseException as error:
        last = traceback.extract_tb(error.__traceback__)[-1]
        return Verdict(
            "traceback", f"{type(error).__name__} {error} ({last.filename}:{last.lineno})"[:300]
        )
    return Verdict("whole", "", len(frames))


def _read_video(path: Path, frames: list[int]) -> None:
    from sam2s.media.frames import open_frames

    with open_frames(path) as source:
        frames.extend(frame.index for frame in source)


def _read_picture(path: Path, frames: list[int]) -> None:
    from sam2s.media.frames import open_frames

    for source in (path, path.parent):
        with open_frames(source) as opened:
            frames.extend(frame.index for frame in opened)


def _read_mask(path: Path, _: list[int]) -> None:
    from sam2s.masklets.masks import read_binary_mask, read_index_mask

    read_binary_mask(path)
    read_index_mask(path)


def _read_weights(path: Path, _: list[int]) -> None:
    from sam2s.weights.load import load_model

    load_model(path, device="cpu")


def _read_catalogue(path: Path, _: list[int]) -> None:
    """By the commands, whose one line of error is asked for."""
    from sam2s.cli import main as sam2s
    from sam2s.errors import DamagedSource, InputError

    out = path.parent / "out"
    shutil.rmtree(out, ignore_errors=True)
    lines = [["data", "stats", str(path)], ["data", "check", str(path)]]
    if path.name == "davis":
        lines = [["data", "convert", "davis", str(path), str(out)]]
    if path.name == "polygons":
        lines = [["data", "convert", "cholecinstanceseg", str(path), str(out)]]
    for line in lines:
        errors = io.StringIO()
        with redirect_stdout(io.StringIO()), redirect_stderr(errors):
            code = sam2s(line)
        said = errors.getvalue()
        if code not in (0, 1, 2, 3) or len(said.splitlines()) > 1:
            raise AssertionError(f"{line[1]} ended with {code}: {said[:200]}")
        if code == 2:
            raise InputError(said)
        if code == 3:
            raise DamagedSource(said, 0, None)


READERS: dict[str, Callable[[Path, list[int]], None]] = {
    "video": _read_video,
    "picture": _read_picture,
    "mask": _read_mask,
    "weights": _read_weights,
    "catalogue": _read_catalogue,
}


def _ffmpeg_counts(path: Path) -> list[int]:
    """In the child: frames as the container states them, and as FFmpeg shows them when it plays on
    over every error."""
    import av

    with av.open(str(path), metadata_errors="replace") as container:
        stream = container.streams.video[0]
        stated = stream.frames
        if container.format.name.startswith("mov"):
            entries = list(stream.index_entries)
            with av.open(str(path), options={"ignore_editlist": "1"}) as whole:
                edited = len(whole.streams.video[0].index_entries) > len(entries)
            if edited or any(entry.is_discard for entry in entries):
                stated = sum(not entry.is_discard for entry in entries)
        shown = 0
        packets = container.demux(stream)
        while True:
            try:
                packet = next(packets, None)
                if packet is None:
                    break
                shown += len(packet.decode())
            except av.error.EOFError:
                break
            except (av.error.FFmpegError, ValueError):
                if packet is None:
                    break
                packet = None
    return [stated, shown]


# ---------------------------------------- a process of its own


def _apart(work: Callable[[], Any], seconds: float) -> Any:
    """``work()`` in a child process with limits, or a line such as "hang: ..."."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        _child(work, reading, writing, seconds)
    os.close(writing)
    data = b""
    deadline = time.monotonic() + 4 * seconds
    while select.select([reading], [], [], max(0.0, deadline - time.monotonic()))[0]:
        piece = os.read(reading, 1 << 20)
        if not piece:
            break
        data += piece
    else:
        os.kill(child, signal.SIGKILL)
    os.close(reading)
    _, status, usage = os.wait4(child, 0)
    peak = usage.ru_maxrss * 1024
    if os.WIFSIGNALED(status):
        ended = os.WTERMSIG(status)
        if ended in (signal.SIGXCPU, signal.SIGKILL):
            return f"hang: after {usage.ru_utime:.0f} s of processor time"
        return f"crash: {signal.Signals(ended).name}"
    if peak > MEMORY:
        return f"memory: {peak / 1e9:.1f} GB"
    return json.loads(data)


def _child(work: Callable[[], Any], reading: int, writing: int, seconds: float) -> None:
    os.close(reading)
    limit = max(1, int(seconds))
    resource.setrlimit(resource.RLIMIT_CPU, (limit, limit + 5))
    resource.setrlimit(resource.RLIMIT_DATA, (3 * MEMORY, 3 * MEMORY))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    try:
        text = json.dumps(work())
    except BaseException:
        text = json.dumps("traceback: " + traceback.format_exc()[-300:])
    with os.fdopen(writing, "w") as end:
        end.write(text)
    os._exit(0)


# ---------------------------------------- the table


def _report(counts: dict[str, Counter[str]], inputs: int, seconds: float) -> Counter[str]:
    order = ("whole", "fewer", "broke", "refused", *BAD)
    print(f"\n{'':32}" + "".join(f"{name:>10}" for name in order))
    for name in sorted(counts):
        print(f"{name:32}" + "".join(f"{counts[name][kind] or '':>10}" for kind in order))
    total = sum(counts.values(), Counter())
    print(f"{'all':32}" + "".join(f"{total[kind]:>10}" for kind in order))
    print(f"{inputs} damaged inputs in {seconds:.0f} s")
    return total


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--inputs", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--kinds", nargs="+", choices=KINDS, default=list(KINDS))
    parser.add_argument("--only", default="", help="one healthy input by its name")
    parser.add_argument("--also", nargs="*", default=[], help="other outcomes to tell and to keep")
    parser.add_argument("--keep", type=Path, help="folder for inputs that did harm")
    parser.add_argument("--seconds", type=float, default=60.0, help="processor time of one input")
    return parser.parse_args()


if __name__ == "__main__":
    # Loaded once, before any process is forked; nothing here starts a thread.

    sys.exit(main())
