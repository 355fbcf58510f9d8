"""``sam2s export``: a result in another tool's format, verified before it gets its name."""

from __future__ import annotations

import os
import shutil
from dataclasses import asdict, dataclass
from pathlib import Path

from sam2s.commands.options import Export
from sam2s.commands.terminal import say
from sam2s.errors import InputError
from sam2s.export.results import open_results
from sam2s.files import check_file, not_written, write_json
from sam2s.formats.fitting import NeutralNames, read_names
from sam2s.formats.polygons import without_holes
from sam2s.formats.registry import FORMATS, Format
from sam2s.formats.result import Contents, ExportOptions, Result, contents_of


@dataclass(frozen=True, slots=True)
class _Plan:
    """One video: ``result`` as it will be written, and what it held before."""

    result: Result
    contents: Contents


def run(options: Export) -> int:
    """Say what will be lost, write, read back, compare, and only then give the folder its name."""
    if options.to == "onnx":
        return _export_model(options)
    chosen = FORMATS[options.to]
    written = ExportOptions(
        polygons=options.polygons,
        compressed=not options.uncompressed,
        pictures=options.pictures,
        anonymise=options.anonymise,
    )
    chosen.check(options.to, written)
    _check_places(options)
    results = _chosen(options)
    names = NeutralNames() if options.mapping is None else read_names(options.mapping)
    if options.anonymise:
        for result in results:
            names = names.with_result(result)
        results = [names.hide(result) for result in results]
    plans = [_plan(result, chosen, written, options) for result in results]
    say(f"{options.to} holds: {chosen.keeps}")
    hidden = options.out.with_name(f".{options.out.name[:40]}.{os.getpid()}.part")
    try:
        for plan in plans:
            folder = hidden if len(plans) == 1 else hidden / plan.result.video
            folder.mkdir(parents=True)
            chosen.write(plan.result, folder, written)
            _verify(chosen, plan.result, folder, options.out, chosen.draws(written))
        if options.mapping is not None:
            write_json(options.mapping, asdict(names))
        os.replace(hidden, options.out)
    except OSError as error:
        raise not_written(options.out, error) from error
    finally:
        shutil.rmtree(hidden, ignore_errors=True)
    _tell(options, plans)
    return 0


def _export_model(options: Export) -> int:
    from sam2s.onnx_export.graph_files import export_onnx
    from sam2s.weights.load import load_model

    agreement = export_onnx(load_model(str(options.result), device="cpu"), options.out)
    say(
        f"{options.result} as ONNX: {options.out}; over {agreement.frames} frames with clicks and a"
        f" correction it differs from torch by {agreement.share:.1e} of the largest logit at most"
    )
    say(f"python {options.out / 'track.py'} VIDEO X Y tracks with it, without torch")
    return 0


def _check_places(options: Export) -> None:
    if options.out.exists():
        raise InputError(f"{options.out}: is there already; name another folder")
    if options.mapping is None:
        return
    if not options.anonymise:
        raise InputError("--mapping says what neutral names stand for; give --anonymise as well")
    if options.mapping.resolve().is_relative_to(options.out.resolve()):
        raise InputError(
            f"--mapping {options.mapping}: lies in {options.out}, which is to name nobody; name a"
            " file elsewhere"
        )
    check_file(options.mapping)


def _chosen(options: Export) -> list[Result]:
    """The videos to export."""
    results = open_results(options.result)
    if options.video is not None:
        there = [result.video for result in results]
        results = [result for result in results if result.video == options.video]
        if not results:
            raise InputError(
                f"--video {options.video}: {options.result} holds {', '.join(there[:5])}"
                f"{', ...' if len(there) > 5 else ''}"
            )
    if len(results) > 1 and options.pictures is not None:
        raise InputError("--pictures are those of one video; choose it by --video")
    return results


def _plan(result: Result, chosen: Format, written: ExportOptions, options: Export) -> _Plan:
    """What will be written of a result; what will be lost is said."""
    contents = contents_of(result, holes=chosen.draws(written))
    losses = chosen.losses(contents)
    if losses and not options.allow_loss:
        raise InputError(
            f"{options.to}: {result.video}: {'; '.join(losses)}; choose another format, or give"
            " --allow-loss"
        )
    notes = [*losses]
    if contents.holed:
        notes.append(f"{contents.holed} masks have holes, which outlines do not keep")
    if contents.missing:
        notes.append(
            f"{contents.missing} masks are not known (frames without labels, or before an object's"
            " first prompt); most formats will say that the object is absent"
        )
    if options.anonymise and options.pictures is not None:
        notes.append("nobody has looked at the pictures: a name burnt into them stays there")
    for note in notes:
        say(f"note: {result.video}: {note}")
    return _Plan(chosen.fitted(result, contents), contents)


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


def _tell(options: Export, plans: list[_Plan]) -> None:
    frames = sum(plan.contents.frames for plan in plans)
    count = sum(len(plan.result.ids) for plan in plans)
    videos = f"{len(plans)} videos, " if len(plans) > 1 else ""
    say(
        f"{videos}{frames} frames, {count} object{'s' * (count != 1)} as {options.to}:"
        f" {options.out}"
    )
