"""The tracker users hold: a thin shell that keeps one ``TrackState`` between frames.

``step`` is the whole interface of a live stream; ``run`` is ``step`` over a source. Both give the
same masks, bit for bit, whether frames come from a file, a folder or a camera.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, closing, contextmanager, nullcontext
from dataclasses import replace
from os import PathLike
from time import perf_counter
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from sam2s.arrays import to_array
from sam2s.devices import Precision, download, memory_errors, wants_bf16
from sam2s.errors import InputError
from sam2s.media.background import in_windows, prefetched
from sam2s.memory.all_rules import pick_rule
from sam2s.memory.bank import Bank
from sam2s.memory.hypothesis_tree import HypothesisTree
from sam2s.memory.policy import Policy
from sam2s.model.by_onednn import by_onednn
from sam2s.model.rounded import rounded_to_bf16
from sam2s.model.sam2s import SAM2S, check_model
from sam2s.model.verbs import Verbs
from sam2s.nn.onednn import has_quicker_products
from sam2s.tracking.core import Core
from sam2s.tracking.cuda_graphs import CudaRecorder, Graphed
from sam2s.tracking.frame_result import frame_result, shown
from sam2s.tracking.hypotheses import TreeCore
from sam2s.tracking.picture_encoder import Encoded, PictureEncoder
from sam2s.tracking.row_prompts import TRACKED, RowPrompt, row_prompts
from sam2s.tracking.rows import Observation, Rows
from sam2s.tracking.state import TrackState
from sam2s.tracking.user_prompts import Prompts, PromptSchedule, by_object
from sam2s.types import Frame, FrameResult, Mask, Origin, Prompt
from sam2s.weights.load import load_model


class Tracker:
    """Prompt once, track throughout.

    ``model``: from ``load_model``, on the device it is to run on, or what ``load_model`` takes,
    such as "nano". ``memory``: a rule's name, a rule
    (``Diverse(iou_threshold=0.8)``), a ``Policy`` of your own, or None for the one saved with the
    weights. ``precision``: ``fp32``, ``bf16`` (autocast), or ``auto``: bf16 on a CUDA device that
    computes it, fp32 elsewhere. ``reverse``: frames arrive last to first. ``exclusive``: objects do
    not overlap, and a pixel goes to the more certain one (SAM 2's ``non_overlap_masks``); what is
    remembered stays the same. ``graphs``: on a CUDA device, launch what every frame repeats as one
    graph (``sam2s.tracking.cuda_graphs``), the same kernels, launched at once. ``compiled``: the
    image encoder through torch's compiler, which takes a minute or so at the first frame.

    ``state`` may be read and set at any time: setting an earlier one is undo.
    """

    def __init__(
        self,
        model: SAM2S | str | PathLike[str],
        memory: str | Policy[Any] | None = None,
        *,
        precision: Precision = "auto",
        reverse: bool = False,
        exclusive: bool = False,
        graphs: bool = True,
        compiled: bool = False,
    ) -> None:
        loaded = load_model(model) if isinstance(model, str | PathLike) else model
        self.model = check_model(loaded).eval()
        self.device = next(self.model.parameters()).device
        self.bf16 = wants_bf16(precision, self.device)
        network = _fitted(self.model, self.device, bf16=self.bf16)
        replayed = graphs and self.device.type == "cuda"
        verbs = Graphed(network, CudaRecorder(self.device)) if replayed else network
        # torch's compiler chooses products itself.
        encoding = self.model if compiled and not self.bf16 else network
        self._encoder = PictureEncoder(encoding, self.device, graphs=replayed, compiled=compiled)
        self.core = make_core(verbs, pick_rule(memory, self.model.config.memory))
        self.reverse = reverse
        self.exclusive = exclusive
        self._graphs, self._compiled = graphs, compiled
        self.state = TrackState()

    def __reduce__(self) -> tuple[object, ...]:
        # Graphs, streams and compiled code belong to this process; a copy makes its own.
        settings = {
            "precision": "bf16" if self.bf16 else "fp32",
            "reverse": self.reverse,
            "exclusive": self.exclusive,
            "graphs": self._graphs,
            "compiled": self._compiled,
        }
        return _restored, (self.model, self.policy, settings, self.state)

    @property
    def policy(self) -> Policy[Any]:
        """The memory rule."""
        return self.core.policy

    @property
    def objects(self) -> tuple[int, ...]:
        """Ids of the objects being tracked."""
        return tuple(sorted(self.state.banks))

    def reset(self) -> None:
        """Forget everything: the next frame is a first frame."""
        self.state = TrackState()
        self._encoder.forget()

    def remove(self, object_id: int) -> None:
        """Stop tracking one object; ``InputError`` when it is not tracked."""
        self.state = self.state.without(object_id)

    def step(
        self,
        frame: Frame | np.ndarray,
        prompts: Prompts | None = None,
        prior: FrameResult | None = None,
    ) -> FrameResult:
        """Advance one frame: segment every tracked object on it, follow ``prompts``, and remember
        the outcome.

        ``frame``: a ``Frame``, an (H, W, 3) uint8 RGB array or tensor, or a Pillow picture (the
        last three are numbered as they arrive). Prompts may name new objects (they are added) or
        tracked ones (they are corrected). ``prior``: the result of ``preview`` on this frame whose
        masks these prompts refine. Before the first prompt the result is empty. ``InputError`` for
        a frame or prompt that cannot be used; the state is then unchanged.
        """
        called = perf_counter()
        frame, state = self._arrive(frame)
        given = by_object(prompts)
        if not given and not state.banks:
            self.state = replace(state, clock=self._time(frame))
            return _timed(FrameResult(frame.index, frame.time), frame, called)
        with self._computing(frame, given):
            ids, seen = self._observe(frame, state, self._row_prompts(frame, given, prior))
            memorized = self.core.memorize(seen)
            # All that Python has to know comes in one copy, after all work has been given out.
            scores, *arrays = download([memorized.scores, *self._shown(frame, seen)])
            banks = self.core.admit(seen, memorized, scores)
            after = _after(seen, state, ids, banks)
            result = self._result(frame, ids, seen, arrays)
        # The clock only moves here, after everything that can fail.
        self.state = after
        return _timed(result, frame, called)

    def preview(
        self,
        frame: Frame | np.ndarray,
        prompts: Prompts | None = None,
        prior: FrameResult | None = None,
    ) -> FrameResult:
        """What ``step`` would answer, without advancing: show it while the user is still clicking.

        Pass all clicks so far in ``prompts`` and the previous preview as ``prior``, as SAM 2's own
        evaluation does.
        """
        called = perf_counter()
        frame, state = self._arrive(frame)
        given = by_object(prompts)
        with self._computing(frame, given):
            ids, seen = self._observe(frame, state, self._row_prompts(frame, given, prior))
            arrays = download(self._shown(frame, seen))
            return _timed(self._result(frame, ids, seen, arrays), frame, called)

    def prepare(self, frame: Frame | np.ndarray) -> None:
        """Encode a picture before anything is asked about it, so that ``preview`` and ``step`` on
        it answer sooner. Changes nothing else; ``InputError`` for a frame that cannot be used."""
        frame, _ = self._arrive(frame)
        with self._computing(frame, {}):
            self._encoder.features(frame.image)

    def remember(
        self,
        frame: Frame | np.ndarray,
        masks: Mapping[int, np.ndarray],
        prompted: Collection[int] = (),
    ) -> None:
        """Advance one frame whose masks are already known: ``masks`` {object id: (H, W) bool, not
        empty} are remembered as if they had been tracked or, for the objects in ``prompted``, as if
        a user had marked them. Other objects' memories stay as they are.
        """
        frame, state = self._arrive(frame)
        given = {i: (Mask(mask),) for i, mask in masks.items()}
        mine = {i: bank for i, bank in state.banks.items() if i in masks}
        with self._computing(frame, given):
            rows = {
                i: prompt if i in prompted else replace(prompt, origin=Origin.TRACKED)
                for i, prompt in self._row_prompts(frame, given, None).items()
            }
            ids, seen = self._observe(frame, state.with_banks(mine), rows)
            after = _after(seen, state, ids, self.core.commit(seen))
        self.state = after.with_banks({**state.banks, **after.banks})

    def run(
        self,
        source: Iterable[Frame | np.ndarray],
        prompts: Mapping[int, Prompts],
        *,
        stop: int | None = None,
    ) -> Iterator[FrameResult]:
        """Track through ``source``, lazily; yields from the first prompted frame on, up to (not
        including) frame ``stop``.

        ``prompts``: {frame index: {object id: prompt}}. Raises ``InputError`` for prompts that
        cannot be used, before the first frame is read, and when the source leaves a prompted frame
        out or ends before it, after everything tracked so far was yielded.
        """
        schedule = PromptSchedule(prompts, stop, reverse=self.reverse)
        for position, item in enumerate(source):
            frame = item if isinstance(item, Frame) else Frame(position, None, _pixels(item))
            if schedule.is_over(frame.index):
                break
            now = schedule.due(frame.index)
            if now is None and not self.state.banks:
                continue
            yield self.step(frame, now)
        schedule.check_done()

    def ahead(self, frames: Iterable[Frame]) -> Iterator[Frame]:
        """The same frames for ``step``, each read and encoded while the one before it is tracked,
        which keeps a second core or the device busy. The masks are the same: on a CPU bit for bit,
        on a GPU, which encodes a few frames together, up to rounding.

        For frames that can wait, all of one size: of a live source it would give each frame when
        the next one has come.
        """
        windows = in_windows(frames, self._encoder.window)
        encoded = prefetched(windows, self._encode_apart, ahead=1, threads=1)
        with closing(encoded):
            for window, features in encoded:
                for frame, own in zip(window, features, strict=True):
                    self._encoder.expect(frame.image, own)
                    yield frame

    def _arrive(self, frame: Frame | np.ndarray) -> tuple[Frame, TrackState]:
        """The frame with its number, and the state that knows the source's size; errors leave
        ``self.state`` alone."""
        clock = self.state.clock
        if not isinstance(frame, Frame):
            following = 0 if clock is None else abs(clock + 1)  # the clock is negated in reverse
            frame = Frame(following, None, _pixels(frame))
        image = to_array(frame.image, f"frame {frame.index}")
        frame = replace(frame, image=image)
        if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8:
            raise InputError(
                f"frame {frame.index}: expected (H, W, 3) uint8 RGB, got {image.shape}"
                f" {image.dtype}"
            )
        if self.state.size not in (None, frame.size):
            raise InputError(
                f"frame {frame.index}: its size changed from {self.state.size} to {frame.size}"
                " (height, width)"
            )
        if clock is not None and self._time(frame) <= clock:
            raise _out_of_order(frame.index, abs(clock), self.reverse)
        return frame, replace(self.state, size=frame.size)

    def _time(self, frame: Frame) -> int:
        return -frame.index if self.reverse else frame.index

    def _row_prompts(
        self, frame: Frame, given: Mapping[int, Sequence[Prompt]], prior: FrameResult | None
    ) -> dict[int, RowPrompt]:
        """One prompt per object; corrections of the masks in ``prior`` where it has them."""
        prompts = row_prompts(given, frame.size, self.model.image_size, self.device)
        if prior is None:
            return prompts
        return {
            i: prompt.correcting(prior.logits.tensor(i).to(self.device))
            if i in prior.logits
            else prompt
            for i, prompt in prompts.items()
        }

    def _observe(
        self, frame: Frame, state: TrackState, prompts: Mapping[int, RowPrompt]
    ) -> tuple[tuple[int, ...], Observation]:
        """The objects of a frame, tracked and new, and what their rows show."""
        ids = tuple(sorted({*state.banks, *prompts}))
        if not ids:
            raise InputError("nothing to track yet: prompt at least one object")
        rows = Rows(
            features=self._encoder.features(frame.image),
            banks=tuple(state.banks.get(i, Bank()) for i in ids),
            times=(self._time(frame),) * len(ids),
            prompts=tuple(prompts.get(i, TRACKED) for i in ids),
        )
        return ids, self.core.observe(rows)

    def _encode_apart(self, frames: Sequence[Frame]) -> list[Encoded]:
        with self._computing(frames[0], {}):
            return self._encoder.encode_apart([frame.image for frame in frames])

    def _shown(self, frame: Frame, seen: Observation) -> list[Tensor]:
        return shown(seen, frame.size, self.model.semantic_head, exclusive=self.exclusive)

    def _result(
        self, frame: Frame, ids: Sequence[int], seen: Observation, arrays: Sequence[np.ndarray]
    ) -> FrameResult:
        head = self.model.semantic_head
        names = () if head is None else head.classes
        return frame_result(frame, ids, seen, arrays, class_names=names, exclusive=self.exclusive)

    @contextmanager
    def _computing(self, frame: Frame, given: Mapping[int, Sequence[Prompt]]) -> Iterator[None]:
        """Inference in the tracker's precision; what to do where memory runs out."""
        count = len({*self.state.banks, *given})
        cast: AbstractContextManager[Any] = (
            # Weights are rounded already (`rounded_to_bf16`), so there is nothing to keep.
            torch.autocast(self.device.type, torch.bfloat16, cache_enabled=False)
            if self.bf16
            else nullcontext()
        )
        out_of_memory = memory_errors(
            f"frame {frame.index}, {count} object{'s' * (count != 1)}"
            f" at {self.model.image_size} px",
            "use a smaller --image-size, fewer objects at a time, --precision bf16 or --device cpu",
        )
        with torch.inference_mode(), cast, out_of_memory:
            yield


def _restored(
    model: SAM2S, policy: Policy[Any], settings: Mapping[str, Any], state: TrackState
) -> Tracker:
    tracker = Tracker(model, policy, **settings)
    tracker.state = state
    return tracker


def _after(
    seen: Observation, state: TrackState, ids: Sequence[int], banks: Sequence[Bank[Any]]
) -> TrackState:
    return TrackState(seen.rows.times[0], state.size, dict(zip(ids, banks, strict=True)))


def _fitted(model: SAM2S, device: torch.device, *, bf16: bool) -> SAM2S:
    """The network as it runs fastest there: the same numbers up to rounding."""
    if bf16:
        return rounded_to_bf16(model)
    quicker = device.type == "cpu" and has_quicker_products()
    return by_onednn(model) if quicker else model


def make_core(model: Verbs, policy: Policy[Any]) -> Core | TreeCore:
    """What a tracker does on a frame under a memory rule; chosen here, once."""
    core = Core(model, policy)
    return TreeCore(core, policy) if isinstance(policy, HypothesisTree) else core


def _out_of_order(index: int, last: int, reverse: bool) -> InputError:
    why = "was already passed; set tracker.state to an earlier one to go back"
    if reverse and index > last:
        why = (
            f"comes after frame {last}, but with reverse=True frames come last to first; leave it"
            " out, or see sam2s.media.random_access.RandomAccess.backward"
        )
    return InputError(f"frame {index} {why}")


def _timed(result: FrameResult, frame: Frame, called: float) -> FrameResult:
    """With its latency: since the frame arrived, or since the ``called`` tracker got it."""
    begun = called if frame.arrived is None else frame.arrived
    return replace(result, latency=perf_counter() - begun)


def _pixels(frame: Any) -> np.ndarray:
    """A picture in memory as an array; `_arrive` checks that it is RGB."""
    return to_array(frame.convert("RGB") if isinstance(frame, Image.Image) else frame, "frame")
