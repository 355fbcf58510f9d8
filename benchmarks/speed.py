"""Frames per second of ours, of Meta's `sam2` and of transformers' streaming SAM 2, side by side.

    make bench
    PYTHONPATH=src python benchmarks/speed.py --sizes 512 --objects 1 10 --sam2 PATH-OF-A-CHECKOUT

From uint8 640 x 480 frames in memory to masks at that size on the host; the same weights; bf16 on
a card, fp32 on a CPU; memories full. A figure is the median over rounds of frames by the time of
the round as a whole (the median frame would hide that a file's frames are encoded a few at a time),
and rounds of all codes alternate, so that a machine that changes its pace does so for all.
``ours step`` is a live stream, ``ours ahead`` a file, whose next frames are known. With --budget-s
the script stops in time and prints what it has.
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import sys
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from functools import partial
from importlib.util import find_spec
from itertools import product
from pathlib import Path
from statistics import median
from typing import Any

import torch
from contestants import Play, Setting, meta, ours_ahead, ours_step, shared_model, transformers
from keywords import keyword

from sam2s.benchmark.environment import environment
from sam2s.benchmark.text_table import Table
from sam2s.devices import pick_device

WHO = ("ours-step", "ours-ahead", "meta", "meta-compiled", "transformers")


class OutOfTime(Exception):
    """The budget is spent."""


@dataclass
class Clock:
    """When to stop: at ``end``, by ``time.perf_counter``."""

    end: float

    def check(self) -> None:
        """Raise where the time is over."""
        if time.perf_counter() > self.end:
            raise OutOfTime


@dataclass
class Entry:
    """One code in one setting. ``rounds``: frames/s of each round by its median frame; ``whole``:
    frames/s of each round as a whole; ``processor_ms``: what all cores together worked for a frame,
    by round, which other programs disturb least; ``error``: why there are none."""

    who: str
    preset: str
    size: int
    objects: int
    rounds: list[float] = field(default_factory=list)
    whole: list[float] = field(default_factory=list)
    processor_ms: list[float] = field(default_factory=list)
    error: str | None = None

    @property
    def fps(self) -> float | None:
        """The figure."""
        return median(self.whole) if self.whole else None

    def __str__(self) -> str:
        if self.error is not None:
            return "failed"
        if self.fps is None:
            return "-"
        return f"{self.fps:.1f}" if self.fps >= 10 else f"{self.fps:.2f}"


def contest(
    setting: Setting, builders: dict[str, Callable[..., Play]], options: Any, clock: Clock
) -> Iterator[Entry]:
    """Every code in one setting; entries are yielded before they are filled, so that they survive
    the end of the time."""
    model = shared_model(setting.preset, setting.size)
    playing: list[tuple[Entry, Play]] = []
    for who, build in builders.items():
        entry = Entry(who, setting.preset, setting.size, setting.objects)
        yield entry
        with _failures(entry):
            clock.check()
            play = build(setting, model)
            _round(play, setting, options.warm, clock)  # memories fill
            playing.append((entry, play))
    for _ in range(options.rounds):
        for entry, play in playing:
            if entry.error is None:
                with _failures(entry):
                    _round(play, setting, options.frames, clock, entry)


@contextmanager
def _failures(entry: Entry) -> Iterator[None]:
    """One code that fails is no reason to lose the others."""
    try:
        yield
    except OutOfTime:
        raise
    except Exception as error:
        entry.error = f"{type(error).__name__}: {' '.join(str(error).split())[:300]}"
        print(f"{entry.who}: {entry.error}", file=sys.stderr, flush=True)


def _round(
    play: Play, setting: Setting, frames: int, clock: Clock, entry: Entry | None = None
) -> None:
    """Play frames, from masks to masks, and tell ``entry`` how long that took."""
    seconds = []
    begun, worked = time.perf_counter(), time.process_time()
    last = begun
    for masks in play(frames):
        now = time.perf_counter()
        seconds.append(now - last)
        last = now
        assert len(masks) == setting.objects
        clock.check()
    if setting.device.type == "cuda":
        torch.cuda.synchronize()
    if entry is not None:
        entry.rounds.append(1 / median(seconds))
        entry.whole.append(frames / (time.perf_counter() - begun))
        entry.processor_ms.append(1e3 * (time.process_time() - worked) / frames)


def table(entries: list[Entry], cell: Callable[[Entry], str] = str) -> Table:
    """Settings down, codes across."""
    who = list(dict.fromkeys(entry.who for entry in entries))
    by_setting: dict[tuple[str, int, int], dict[str, str]] = {}
    for e in entries:
        by_setting.setdefault((e.preset, e.size, e.objects), {})[e.who] = cell(e)
    rows = [
        (f"{name}, {size} px, {objects}", *(found.get(w, "-") for w in who))
        for (name, size, objects), found in by_setting.items()
    ]
    return Table(("model, input, objects", *who), tuple(rows))


def _processor(entry: Entry) -> str:
    return f"{median(entry.processor_ms):.0f}" if entry.processor_ms else "-"


def write(path: Path | None, entries: list[Entry]) -> None:
    """All entries with machine, versions and command, where a file was asked for."""
    if path is not None:
        rows = [{**asdict(entry), "fps": entry.fps} for entry in entries]
        path.write_text(json.dumps({**environment(), "rows": rows}, indent=1))


def _setting(text: str) -> tuple[str, int, int]:
    name, size, objects = text.split(":")
    return name, int(size), int(objects)


def parse(argv: list[str] | None) -> argparse.Namespace:
    """Options; what was not said follows from the device: a full table on a card, a small one on a
    CPU."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    add = parser.add_argument
    add("--device", default="auto", help="auto, cuda, cuda:1, cpu")
    add("--presets", nargs="+", metavar="NAME", help="base_plus, tiny, small, large, nano")
    add("--sizes", nargs="+", type=int, metavar="PX", help="input sizes")
    add("--objects", nargs="+", type=int, metavar="N")
    add("--setting", action="append", type=_setting, metavar="NAME:PX:N", help="instead of these")
    add("--who", nargs="+", choices=WHO, help="default: all that are installed here")
    add("--sam2", type=Path, default=os.environ.get("SAM2_DIR"), help="checkout of Meta's code")
    add("--compiled", action="store_true", help="Meta's compiled predictor too (minutes to start)")
    add("--warm", type=int, default=24, help="frames before the first round: memories are full")
    add("--frames", type=int, help="frames of a round")
    add("--rounds", type=int, default=5)
    add("--budget-s", type=float, default=float("inf"), help="stop after so many seconds")
    add("--memory", default="recent", help="our memory rule; the others' is recent")
    add("--precision", default="auto", choices=("auto", "fp32", "bf16"), help="ours")
    add("--tracker-option", action="append", default=[], type=keyword, metavar="KEY=VALUE")
    add("--json", type=Path, help="write everything here")
    options = parser.parse_args(argv)
    options.device = pick_device(options.device)
    card = options.device.type == "cuda"
    options.presets = options.presets or (["base_plus", "tiny"] if card else ["tiny"])
    options.sizes = options.sizes or ([512, 1024] if card else [512])
    options.objects = options.objects or ([1, 5, 10, 20] if card else [1])
    everything = product(options.presets, options.sizes, options.objects)
    options.setting = options.setting or list(everything)
    options.frames = options.frames or (40 if card else 3)
    return options


def builders(options: argparse.Namespace) -> dict[str, Callable[..., Play]]:
    """The codes that are asked for, or that are here."""
    ours = {"precision": options.precision, **dict(options.tracker_option)}
    found: dict[str, Callable[..., Play]] = {
        "ours-step": partial(ours_step, rule=options.memory, options=ours),
        "ours-ahead": partial(ours_ahead, rule=options.memory, options=ours),
    }
    if options.sam2:
        found["meta"] = partial(meta, checkout=options.sam2.resolve())
        if options.compiled:
            found["meta-compiled"] = partial(meta, checkout=options.sam2.resolve(), compiled=True)
    if find_spec("transformers"):
        found["transformers"] = transformers
    for who in options.who or ():
        if who not in found:
            sys.exit(f"{who}: give --sam2 PATH (and --compiled), or install transformers")
    return {who: found[who] for who in options.who or found}


def main(argv: list[str] | None = None) -> int:
    """Print the table; exit code 1 where a code failed."""
    options = parse(argv)
    clock = Clock(time.perf_counter() + options.budget_s)
    codes, entries = builders(options), []
    warnings.simplefilter("ignore")  # the others' own
    try:
        for name, size, objects in options.setting:
            setting = Setting(name, size, objects, options.device)
            before, begun = len(entries), time.perf_counter()
            for entry in contest(setting, codes, options, clock):
                entries.append(entry)
            told = "  ".join(f"{e.who} {e}" for e in entries[before:])
            took = time.perf_counter() - begun
            print(f"{name} {size} px, {objects}: {told}  ({took:.0f} s)", flush=True)
            write(options.json, entries)
            gc.collect()
            if options.device.type == "cuda":
                torch.cuda.empty_cache()
    except OutOfTime:
        print(f"stopped after {options.budget_s:.0f} s", flush=True)
    write(options.json, entries)
    machine = environment()["machine"]
    print(f"{machine['gpu'] or machine['processor']}, {machine['threads']} threads, torch"
          f" {torch.__version__}; frames/s, median of {options.rounds} rounds\n")  # fmt: skip
    print(table(entries).markdown())
    if options.device.type == "cpu":
        print("processor milliseconds a frame, of all cores together\n")
        print(table(entries, _processor).markdown())
    return int(any(entry.error for entry in entries))


if __name__ == "__main__":
    sys.exit(main())
