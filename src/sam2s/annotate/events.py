"""What the server tells its pages while they do not ask: a queue for each, bounded."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import contextmanager
from threading import Lock
from typing import Any

BACKLOG = 512
"""Messages that wait for one page; a page that falls further behind is told to ask anew."""
HEARTBEAT = 15.0
"""Seconds of silence after which a line is sent that says nothing."""


class PageStream:
    """One page's queue."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._queue: asyncio.Queue[str | None] = asyncio.Queue()
        self._lost = False

    def put(self, message: str | None) -> None:
        """From any thread; None ends the stream."""
        try:
            self._loop.call_soon_threadsafe(self._put, message)
        except RuntimeError:  # its loop has ended, and the page with it
            return

    def _put(self, message: str | None) -> None:
        if message is not None and self._queue.qsize() >= BACKLOG:
            self._lost = True
            return
        self._queue.put_nowait(message)

    async def lines(self) -> AsyncIterator[str]:
        """The stream, as text/event-stream has it."""
        yield "retry: 1000\n\n"
        while True:
            try:
                message = await asyncio.wait_for(self._queue.get(), HEARTBEAT)
            except TimeoutError:
                yield ": still here\n\n"
                continue
            if message is None:
                return
            yield f"data: {message}\n\n"
            if self._lost and self._queue.empty():
                self._lost = False
                yield f"data: {json.dumps({'kind': 'behind'})}\n\n"


class EventBus:
    """Everyone who listens hears every message."""

    def __init__(self) -> None:
        self._listeners: set[PageStream] = set()
        self._lock = Lock()
        self._closed = False

    def tell(self, kind: str, **content: Any) -> None:
        """Send a message, from any thread, without waiting."""
        message = _text({"kind": kind, **content})
        with self._lock:
            listeners = tuple(self._listeners)
        for listener in listeners:
            listener.put(message)

    @contextmanager
    def listening(self) -> Any:
        """A listener for as long as the block runs."""
        listener = PageStream(asyncio.get_running_loop())
        with self._lock:
            self._listeners.add(listener)
            if self._closed:
                listener.put(None)
        try:
            yield listener
        finally:
            with self._lock:
                self._listeners.discard(listener)

    def close(self) -> None:
        """End every stream."""
        with self._lock:
            self._closed = True
            listeners = tuple(self._listeners)
        for listener in listeners:
            listener.put(None)


def _text(content: Mapping[str, Any]) -> str:
    return json.dumps(content, allow_nan=False)
