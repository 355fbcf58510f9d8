"""Signals that ask a process to stop: when they are raised, and that none is lost."""

from __future__ import annotations

import os
import signal

import pytest

from sam2s.interruption import Stopped, stoppable, uninterrupted


def interrupt() -> None:
    os.kill(os.getpid(), signal.SIGINT)


def test_a_signal_waits_for_the_end_of_what_is_done_whole():
    done = []

    def whole() -> None:
        with stoppable(), uninterrupted():
            interrupt()
            done.append("the rest")

    with pytest.raises(Stopped):
        whole()
    assert done == ["the rest"]


def test_a_signal_that_was_swallowed_is_raised_again():
    """Python drops what is raised in a finalizer: the work would go on as if nobody had asked."""

    class Finalized:
        def __del__(self) -> None:
            try:
                interrupt()
            except Stopped:
                return

    def work() -> None:
        with stoppable():
            Finalized()
            with uninterrupted():
                pass

    with pytest.raises(Stopped) as stopped:
        work()
    assert stopped.value.exit_code == 130


def test_a_signal_that_is_being_handled_is_not_raised_twice():
    with stoppable():
        try:
            interrupt()
        except Stopped:
            with uninterrupted():
                kept = True
    assert kept
    with stoppable(), uninterrupted():  # the next command starts afresh
        pass
