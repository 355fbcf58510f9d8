"""Writing a result: what will be lost is known before, and every mask is read back after."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from sam2s.errors import InputError
from sam2s.formats.polygons import without_holes
from sam2s.formats.registry import FORMATS, Format
from sam2s.formats.result import Contents, ExportOptions, Result, contents_of


@dataclass(frozen=True, slots=True, eq=False)
class ExportPlan:
    """One video to be written. ``result`` as the format can hold it, ``contents`` what it held
    before; ``notes``: what a user should know, a phrase each."""

    chosen: Format
    options: ExportOptions
    result: Result
    contents: Contents
    notes: tuple[str, ...]


def plan_export(
    name: str, result: Result, options: ExportOptions, *, allow_loss: bool, hint: str
) -> ExportPlan:
    """Look at a result that is to become format ``name``. Raises ``InputError`` for losses that are
    not allowed; it ends with ``hint``, which says how to allow them."""
    chosen = FORMATS[name]
    contents = contents_of(result, holes=chosen.draws(options))
    losses = chosen.losses(contents)
    if losses and not allow_loss:
        raise InputError(
            f"{name}: {result.video}: {'; '.join(losses)}; choose another format, or {hint}"
        )
    notes = [*losses]
    if contents.holed:
        notes.append(f"{contents.holed} masks have holes, which outlines do not keep")
    if contents.missing:
        notes.append(
            f"{contents.missing} masks are not known (frames without labels, or before an object's"
            " first prompt); most formats will say that the object is absent"
        )
    fitted = chosen.fitted(result, contents)
    return ExportPlan(chosen, options, fitted, contents, tuple(notes))


def write_verified(plan: ExportPlan, folder: Path, named: Path) -> None:
    """Write into ``folder`` (made, empty) and read every mask back, to the pixel. Raises
    ``InputError`` that speaks of ``named``, where the folder will be, when one is another."""
    plan.chosen.write(plan.result, folder, plan.options)
    _verify(plan, folder, named)


def _verify(plan: ExportPlan, written: Path, named: Path) -> None:
    """An object that a format leaves out where it is absent counts as an empty mask, and outlines
    as what they enclose."""
    read_back, outlines = plan.chosen.read, plan.chosen.draws(plan.options)
    if read_back is None or not any(
        found.mask.any() for frame in plan.result.frames() for found in frame.masks.values()
    ):
        return
    back = {frame.index: frame for frame in read_back(written).frames()}
    for frame in plan.result.frames():
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
