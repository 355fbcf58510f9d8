"""What prompts show at once on their own frame, before anything is tracked."""

from __future__ import annotations

from collections.abc import Callable
from threading import Lock

from sam2s.annotate.model_room import ModelRoom
from sam2s.errors import InputError
from sam2s.masklets.masks import encode_rle
from sam2s.tracking.session.history import History
from sam2s.tracking.session.mask_store import FoundMask, MaskStore, found_masks, shown_mask
from sam2s.tracking.tracker import Tracker
from sam2s.types import Frame, FrameResult, Mask


class Previewer:
    """Answers clicks; one at a time, on a tracker that keeps the features of the last picture."""

    def __init__(self, room: ModelRoom) -> None:
        self._room = room
        self._tracker: Tracker | None = None
        self._lock = Lock()
        self._wanted: object = None

    def look(self, key: object, frame: Callable[[], Frame]) -> None:
        """Be ready for clicks on a picture. Nothing happens where the model is not there yet, or
        where another ``key`` was asked for while this one waited."""
        if not self._room.is_loaded:
            return
        self._wanted = key
        with self._lock:
            if self._wanted != key:
                return
            self._tracker = tracker = self._tracker or self._room.tracker()
            tracker.prepare(frame())

    def preview(
        self,
        history: History,
        store: MaskStore,
        object_id: int,
        frame: Callable[[], Frame],
        index: int,
    ) -> tuple[int, FoundMask]:
        """The mask that the prompts of an object show on frame ``index``, and the version that it
        belongs to: the number of the latest of these prompts.

        Clicks correct the mask that was shown before the first of them, as an annotator means them
        to. Raises ``InputError`` where the object has no prompt on the frame.
        """
        given = history.notes.object(object_id).given.get(index)
        numbers = history.prompts_of(object_id, index)
        if given is None or not numbers:
            raise InputError(f"object {object_id} on frame {index}: nothing was prompted there")
        if given.mask is not None and given.points is None:
            return numbers[-1], FoundMask(encode_rle(given.mask.mask), 1.0, 1.0)
        corrected = given.mask or _mask_before(history, store, object_id, index, numbers[0])
        with self._lock:
            self._tracker = tracker = self._tracker or self._room.tracker()
            picture = frame()
            prior: FrameResult | None = None
            if corrected is not None and given.box is None:
                prior = tracker.preview(picture, {object_id: corrected})
            result = tracker.preview(picture, {object_id: given.prompts}, prior)
        return numbers[-1], found_masks(result)[object_id]


def _mask_before(
    history: History, store: MaskStore, object_id: int, frame: int, first: int
) -> Mask | None:
    """The mask that was shown before action ``first``."""
    kept = tuple(entry for entry in history.done if entry.number < first)
    if not kept:
        return None
    found = shown_mask(History(kept, (), history.used), store, object_id, frame)
    return None if found is None or not found.mask.any() else Mask(found.mask)
