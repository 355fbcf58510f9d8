"""The rhythm of timestamps: a gap in a stream that was even so far means missing frames."""

from __future__ import annotations


class Rhythm:
    """The steps between timestamps, to notice a skipped frame in a stream that has been even so
    far."""

    def __init__(self) -> None:
        self._last: int | None = None
        self._shortest = self._longest = self._steps = 0

    def note(self, pts: int | None) -> None:
        """Take in the next frame's timestamp, in ticks of the stream; None = the frame has none."""
        if pts is not None and self._last is not None:
            step = pts - self._last
            self._shortest = min(step, self._shortest) if self._steps else step
            self._longest = max(step, self._longest)
            self._steps += 1
        self._last = pts

    def skips(self, pts: int) -> bool:
        """Whether a frame at ``pts`` comes after a gap, seen against an even rhythm so far; always
        False where the rhythm is uneven or too short to judge."""
        even = self._steps >= 2 and self._longest <= 1.2 * self._shortest
        return even and self._last is not None and pts - self._last > 1.5 * self._longest
