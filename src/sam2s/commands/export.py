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
from sam2s.formats.polygons import without_holes
from sam2s.formats.registry import FORMATS, Format
from sam2s.formats.result import Contents, ExportOptions, Result, contents_of


def run(options: Export) -> int:
    """Say what will be lost, write, read back, compare, and only then give the folder its name."""
    chosen = FORMATS[options.to]
    written = ExportOptions(
        polygons=options.polygons,
        compressed=not options.uncompressed,
        pictures=options.pictures,
    )
    chosen.check(options.to, written)
    if options.out.exists():
        raise InputError(f"{options.out}: is there already; name another folder")
    result = open_result(options.result)
    contents = contents_of(result, holes=chosen.draws(written))
    losses = chosen.losses(contents)
    if losses and not options.allow_loss:
        raise InputError(
            f"{options.to}: {'; '.join(losses)}; choose another format, or give --allow-loss"
        )
    for loss in losses:
        say(f"note: {loss}")
    if contents.holed:
        say(f"note: {contents.holed} masks have holes, which outlines do not keep")
    say(f"{options.to} holds: {chosen.keeps}")
    hidden = options.out.with_name(f".{options.out.name[:40]}.{os.getpid()}.part")
    try:
        hidden.mkdir(parents=True)
        chosen.write(result, hidden, written)
        if not losses:
            _verify(chosen, result, hidden, options.out, chosen.draws(written))
        os.replace(hidden, options.out)
    except OSError as error:
        raise not_written(options.out, error) from error
    finally:
        shutil.rmtree(hidden, ignore_errors=True)
    _tell(options, result, contents)
    return 0


def _verify(chosen: Format, result: Result, written: Path, named: Path, outlines: bool) -> None:
    """Every mask as it is read back, to the pixel; an object that a format leaves out where it is
    absent counts as an empty mask, and ``outlines`` as what they enclose."""
    if chosen.read is None or not any(
        found.mask.any() for frame in result.frames() for found in frame.masks.values()
    ):
        return
    back = {frame.index: frame for frame in chosen.read(written).frames()}
    for frame in result.frames():
        other = back.get(frame.index)
        for object_id, found in frame.masks.items():
            mask = without_holes(found.mask) if outlines else found.mask
            read = None if other is None else other.masks.get(object_id)
            same = not mask.any() if read is None else bool((read.mask == mask).all())
            if not same:
                raise InputError(
                    f"{named}: object {object_id} on frame {frame.index} was not read back as it"
                    " was written, so nothing was kept; please report this"
                )


def _tell(options: Export, result: Result, contents: Contents) -> None:
    count = len(result.ids)
    say(
        f"{contents.frames} frames, {count} object{'s' * (count != 1)} as {options.to}:"
        f" {options.out}"
    )
