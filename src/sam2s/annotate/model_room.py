"""The model that every session shares: loaded in the background, so that the page is there at
once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from threading import Event, Thread

from sam2s.devices import Precision, describe
from sam2s.errors import InputError, Sam2sError
from sam2s.model.sam2s import SAM2S
from sam2s.tracking.tracker import Tracker
from sam2s.weights.load import load_model


@dataclass(frozen=True, slots=True)
class ModelChoice:
    """What ``load_model`` and ``Tracker`` are given."""

    model: str = "nano"
    device: str = "auto"
    memory: str | None = None
    image_size: int | None = None
    precision: Precision = "auto"


class ModelRoom:
    """Loads the model on a thread of its own; whoever needs it waits."""

    def __init__(self, choice: ModelChoice, ready: Callable[[], None] = lambda: None) -> None:
        self.choice = choice
        self._ready = ready
        self._loaded = Event()
        self._model: SAM2S | None = None
        self._error: Sam2sError | None = None
        Thread(target=self._load, daemon=True, name="model").start()

    @property
    def state(self) -> str:
        """``loading``, the device it is on, or what went wrong."""
        if not self._loaded.is_set():
            return "loading"
        if self._error is not None:
            return str(self._error)
        return describe(self.tracker().device, bf16=self.tracker().bf16)

    @property
    def is_loaded(self) -> bool:
        """Whether a tracker can be had without waiting."""
        return self._model is not None

    def tracker(self, *, reverse: bool = False) -> Tracker:
        """A new tracker; raises what loading the model raised."""
        self._loaded.wait()
        if self._error is not None:
            raise InputError(str(self._error))
        assert self._model is not None, "it is loaded or there is an error"
        return Tracker(
            self._model, self.choice.memory, precision=self.choice.precision, reverse=reverse
        )

    def _load(self) -> None:
        choice = self.choice
        try:
            self._model = load_model(
                choice.model, device=choice.device, image_size=choice.image_size
            )
        except Sam2sError as error:
            self._error = error
        except Exception as error:
            self._error = InputError(f"{choice.model}: cannot be loaded ({error})")
        finally:
            self._loaded.set()
            self._ready()
