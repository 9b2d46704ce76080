"""Turn Ctrl-C and SIGTERM into a wish to stop, which a run reads between two chunks.

Nothing is cut off in the middle: a run that is asked to stop ends with whole draws. The third
request does not wait.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from types import FrameType

PATIENCE = 2  # requests that are waited for


class Stop:
    """Hold the signal that asked for an end, 0 while none has.

    `wish` tells of another reason to end.
    """

    def __init__(self, wish: Callable[[], bool] = lambda: False) -> None:
        self.signal = 0
        self.asked = 0
        self.wish = wish

    def __bool__(self) -> bool:
        return bool(self.signal) or self.wish()

    @property
    def exit_code(self) -> int:
        """Return the exit code of a program that ends on the signal: 130 for Ctrl-C, 143."""
        return 128 + (self.signal or signal.SIGINT)

    def ask(self, number: int, frame: FrameType | None) -> None:
        """Note a signal: this is its handler."""
        self.signal, self.asked = number, self.asked + 1
        if self.asked > PATIENCE:
            raise KeyboardInterrupt


_current: ContextVar[Stop | None] = ContextVar("finetti_stop", default=None)
DEFAULTS = {signal.SIGINT: signal.default_int_handler, signal.SIGTERM: signal.SIG_DFL}


@contextmanager
def stoppable() -> Iterator[Stop]:
    """Let the block be asked to stop by the signals that would otherwise end it.

    Signals that the program handles in its own way, or ignores, are left to it, and so are all
    outside the main thread. Blocks may nest: the outermost one is asked.
    """
    outer = _current.get()
    if outer is not None:
        yield outer
        return
    stop, taken = Stop(), {}
    token = _current.set(stop)
    try:
        if threading.current_thread() is threading.main_thread():
            for number, usual in DEFAULTS.items():
                if signal.getsignal(number) == usual:
                    taken[number] = signal.signal(number, stop.ask)
        yield stop
    finally:
        for number, before in taken.items():
            signal.signal(number, before)
        _current.reset(token)


@contextmanager
def unless(stop: Stop) -> Iterator[None]:
    """Let the block go on unless `stop` says otherwise, whatever signals come."""
    token = _current.set(stop)
    try:
        yield
    finally:
        _current.reset(token)


def asked_to_stop() -> bool:
    """Tell whether the block in force has been asked to stop."""
    stop = _current.get()
    return stop is not None and bool(stop)
