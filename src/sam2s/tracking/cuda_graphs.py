"""A network's verbs as CUDA graphs: what Python would launch as hundreds of kernels a frame is
recorded once and then launched as one.

A graph replays fixed kernels on fixed memory. So every kind of input (its shapes, and whatever else
decides which kernels run) has a graph of its own, recorded when it comes for the second time, as it
does on the frames of a track and does not for most prompts; inputs are copied to where the graph
reads them, and answers away from where it writes them. Recording takes about as long as three
frames, nothing is compiled, and the numbers are those of the plain verbs.
"""

from __future__ import annotations

import warnings
from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterator
from dataclasses import dataclass, field, fields, is_dataclass, replace
from typing import Any, Generic, Protocol, TypeVar

import torch
from torch import Tensor

from sam2s.model.sam2s import SAM2S
from sam2s.types import Decoded, Features, MemoryBatch, PromptBatch, without_repeats

KEPT = 8
"""Graphs of one verb that are kept, the latest used; each is a few hundred kernels' arguments."""

Answer = TypeVar("Answer")


class Recorder(Protocol):
    """Records work on fixed tensors."""

    def __call__(self, work: Callable[[], Answer]) -> tuple[Answer, Callable[[], None]]:
        """The answer, which every call of the second part brings up to date."""
        ...


class CudaRecorder:
    """Records on a stream of its own; graphs of one recorder share their memory, so they are
    replayed one after the other, all on one stream."""

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self._stream = torch.cuda.Stream(device)
        self._pool = torch.cuda.graph_pool_handle()

    def __call__(self, work: Callable[[], Answer]) -> tuple[Answer, Callable[[], None]]:
        """The answer, which every call of the second part brings up to date."""
        here = torch.cuda.current_stream(self._device)
        self._stream.wait_stream(here)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.stream(self._stream):
            work()  # libraries choose their kernels and workspaces on the first call on a stream
            # Other threads go on allocating and launching meanwhile.
            graph.capture_begin(pool=self._pool, capture_error_mode="thread_local")
            try:
                answer = work()
            finally:
                graph.capture_end()
        here.wait_stream(self._stream)
        graph.replay()
        return answer, graph.replay


@dataclass(slots=True)
class _Recorded:
    """One graph: where it reads, where it writes, and how it is set off."""

    inputs: list[Tensor]
    answer: Any
    replay: Callable[[], None]


@dataclass(eq=False)
class Replayed(Generic[Answer]):
    """A pure function of tensors and nouns, replayed from the second call with alike arguments
    on. Not for two threads at a time."""

    function: Callable[..., Answer]
    recorder: Recorder
    _known: OrderedDict[Hashable, _Recorded | None] = field(default_factory=OrderedDict)
    _works: bool = True

    def __call__(self, *arguments: Any) -> Answer:
        """What ``function`` answers, in tensors of its own."""
        if not self._works:
            return self.function(*arguments)
        key = tuple(_kind(argument) for argument in arguments)
        if key not in self._known:
            self._remember(key, None)
            return self.function(*arguments)
        recorded = self._known[key]
        if recorded is None:
            recorded = self._record(arguments)
            if recorded is None:
                return self.function(*arguments)
            self._remember(key, recorded)
        else:
            self._known.move_to_end(key)
            for there, here in zip(recorded.inputs, _tensors(arguments), strict=True):
                there.copy_(without_repeats(here))
            recorded.replay()
        copied = (tensor.clone() for tensor in _tensors(recorded.answer))
        answer: Answer = _rebuilt(recorded.answer, copied)
        return answer

    def _record(self, arguments: tuple[Any, ...]) -> _Recorded | None:
        inputs = [without_repeats(tensor).clone() for tensor in _tensors(arguments)]
        repeated = (
            there.expand(here.shape)
            for there, here in zip(inputs, _tensors(arguments), strict=True)
        )
        fixed = _rebuilt(arguments, repeated)
        try:
            answer, replay = self.recorder(lambda: self.function(*fixed))
        except torch.OutOfMemoryError:
            raise
        except RuntimeError as error:
            self._works = False
            self._known.clear()
            why = str(error).splitlines()[0]
            warnings.warn(
                f"CUDA graphs: recording failed, frames take longer without them ({why})",
                stacklevel=2,
            )
            return None
        return _Recorded(inputs, answer, replay)

    def _remember(self, key: Hashable, recorded: _Recorded | None) -> None:
        self._known[key] = recorded
        self._known.move_to_end(key)
        while len(self._known) > KEPT:
            self._known.popitem(last=False)


class Graphed:
    """The verbs of ``model`` on a CUDA device, replayed where frames repeat them: on tracked
    rows. Prompted ones run as they are."""

    def __init__(self, model: SAM2S, recorder: Recorder) -> None:
        self._model = model
        self._recall = Replayed(model.recall, recorder)
        self._decode = Replayed(
            lambda features, prompts, fallback: model.decode(features, prompts, fallback=fallback),
            recorder,
        )
        self._memorize = Replayed(
            lambda features, decoded, binarize: model.memorize(
                features, decoded, binarize=binarize
            ),
            recorder,
        )
        self.encode = model.encode
        self.choose = model.choose
        self.adopt = model.adopt

    @property
    def image_size(self) -> int:
        """Default side of the input, pixels."""
        return self._model.image_size

    def recall(self, features: Features, memory: MemoryBatch | None) -> Features:
        """``SAM2S.recall``."""
        if memory is None:
            return self._model.recall(features, memory)
        # Memory acts on the coarse level alone: the others need not be copied to the graph.
        conditioned = self._recall(_coarse(features), memory)
        return replace(features, stride16=conditioned.stride16, semantic=conditioned.semantic)

    def decode(self, features: Features, prompts: PromptBatch, *, fallback: bool = True) -> Decoded:
        """``SAM2S.decode``."""
        if prompts.labels.shape[1] or prompts.mask_logits is not None:
            return self._model.decode(features, prompts, fallback=fallback)
        return self._decode(features, prompts, fallback)

    def memorize(self, features: Features, decoded: Decoded, *, binarize: Tensor) -> Tensor:
        """``SAM2S.memorize``."""
        if decoded.input_logits is not None:
            return self._model.memorize(features, decoded, binarize=binarize)
        return self._memorize(_coarse(features), _answer_alone(decoded), binarize)


def _coarse(features: Features) -> Features:
    nothing = features.stride16[:, :0]
    return Features(features.stride16, nothing, nothing, features.semantic)


def _answer_alone(decoded: Decoded) -> Decoded:
    """Without what other candidates are chosen by."""
    nothing = decoded.iou[:, None][:, :0]
    return replace(
        decoded,
        candidate_logits=nothing,
        candidate_ious=nothing,
        candidate_tokens=None,
        semantic=None,
    )


def _kind(noun: Any) -> Hashable:
    """Whatever decides which kernels run: shapes, types, repeated rows, and plain values."""
    if isinstance(noun, Tensor):
        return noun.shape, noun.dtype, noun.ndim > 0 and noun.stride(0) == 0
    if is_dataclass(noun):
        return type(noun), *(_kind(getattr(noun, spec.name)) for spec in fields(noun))
    assert isinstance(noun, Hashable)
    return noun


def _tensors(noun: Any) -> Iterator[Tensor]:
    """The tensors of a noun, or of a tuple of nouns, in their order."""
    if isinstance(noun, Tensor):
        yield noun
    elif isinstance(noun, tuple):
        for part in noun:
            yield from _tensors(part)
    elif is_dataclass(noun):
        for spec in fields(noun):
            yield from _tensors(getattr(noun, spec.name))


def _rebuilt(noun: Any, tensors: Iterator[Tensor]) -> Any:
    """The same with other tensors, in their order."""
    if isinstance(noun, Tensor):
        return next(tensors)
    if isinstance(noun, tuple):
        return tuple(_rebuilt(part, tensors) for part in noun)
    if is_dataclass(noun) and not isinstance(noun, type):
        parts = {spec.name: _rebuilt(getattr(noun, spec.name), tensors) for spec in fields(noun)}
        return replace(noun, **parts)
    return noun
