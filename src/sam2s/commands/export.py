"""``sam2s export``: a result in another tool's format, verified before it gets its name."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from sam2s.commands.options import Export
from sam2s.commands.terminal import say
from sam2s.errors import InputError
from sam2s.export.results import open_result
from sam2s.files import not_written
from sam2s.formats.registry import FORMATS, Format
from sam2s.formats.result import (
    Contents,
    ExportOptions,
    Result,
    contents_of,
)


def run(options: Export) -> int:
    """Write, read back, compare, and only then give the folder its name."""
    chosen = FORMATS[options.to]
    if options.out.exists():
        raise InputError(f"{options.out}: is there already; name another folder")
    result = open_result(options.result)
    contents = contents_of(result)
    losses = chosen.losses(contents)
    if losses and not options.allow_loss:
        raise InputError(
            f"{options.to}: {'; '.join(losses)}; choose another format, or give --allow-loss"
        )
    written = ExportOptions(polygons=options.polygons, compressed=not options.uncompressed)
    hidden = options.out.with_name(f".{options.out.name[:40]}.{os.getpid()}.part")
    try:
        hidden.mkdir(parents=True)
        chosen.write(result, hidden, written)
        if not losses and not options.polygons:
            _verify(chosen, result, hidden, options.out)
        os.replace(hidden, options.out)
    except OSError as error:
        raise not_written(options.out, error) from error
    finally:
        shutil.rmtree(hidden, ignore_errors=True)
    _tell(options, chosen, result, contents)
    for loss in losses:
        say(f"note: {loss}")
    return 0


def _verify(chosen: Format, result: Result, written: Path, named: Path) -> None:
    """Every mask as it is read back, to the pixel; an object that a format leaves out where it is
    absent counts as an empty mask."""
    if chosen.read is None:
        return
    back = {frame.index: frame for frame in chosen.read(written).frames()}
    for frame in result.frames():
        other = back.get(frame.index)
        for object_id, found in frame.masks.items():
            read = None if other is None else other.masks.get(object_id)
            same = not found.mask.any() if read is None else bool((read.mask == found.mask).all())
            if not same:
                raise InputError(
                    f"{named}: object {object_id} on frame {frame.index} was not read back as it"
                    " was written, so nothing was kept; please report this"
                )


def _tell(options: Export, chosen: Format, result: Result, contents: Contents) -> None:
    count = len(result.ids)
    say(
        f"{contents.frames} frames, {count} object{'s' * (count != 1)} as {options.to}:"
        f" {options.out}"
    )
    say(f"it holds: {chosen.keeps}")
