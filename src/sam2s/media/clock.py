"""The clock of a recording, made to run forwards."""

from __future__ import annotations


class Clock:
    """Turns a source's timestamps (seconds) into times that rise from frame to frame.

    A timestamp that is not later than the time before it, as where two recordings were joined, is
    shown one frame (``step`` seconds) after that one, and the frames behind it keep their distance
    to it. Where the timestamps overtake again at once, as after a doubled or swapped one, they
    count again unchanged. None takes the place one frame on; before the first timestamp there is no
    time.
    """

    def __init__(self, step: float) -> None:
        self._step = step
        self._last: float | None = None
        self._shift = 0.0
        self._after_jump = 0.0

    def time(self, stamp: float | None) -> float | None:
        """The time of the next frame."""
        if self._last is None:
            self._last = stamp
            return stamp
        if stamp is None:
            self._last += self._step
            return self._last
        if stamp + self._shift > self._last:
            self._after_jump = self._shift
        elif stamp + self._after_jump <= self._last:
            self._after_jump = self._last + self._step - stamp
        else:  # a second frame in a row by the new clock: that one counts from now on
            self._shift = self._after_jump
        self._last = stamp + self._after_jump
        return self._last
