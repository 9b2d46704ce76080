"""Do one piece of a job on a worker, until it is done or called off."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Mapping
from typing import Any

from finetti.inference.cluster.carried import unpacked
from finetti.inference.cluster.reached import refuse, versions
from finetti.inference.stopping import Stop, unless

HELD = 4  # jobs that a worker keeps unpacked, with what they have cached

_jobs: OrderedDict[str, Any] = OrderedDict()  # by name, the latest last
_one = threading.Lock()  # programs that threads compile at once may differ in rounding


def as_it_is(text: bytes) -> bytes:
    """Return what is given: the task whose result is a job."""
    return text


def work(text: bytes, name: str, piece: bytes, known: Mapping[str, str]) -> Any:
    """Return what a job makes of a piece, both packed; nothing where the piece is called off.

    Raises `ClusterError` on a worker that came later, with other versions than those `known`.
    """
    from distributed import get_worker

    refuse(get_worker().address, known, versions())
    stop = Stop(called_off())
    try:
        with _one, unless(stop):
            return None if stop else _job(text, name)(unpacked(piece))
    except KeyboardInterrupt:  # it would end the worker
        if stop:
            return None
        raise RuntimeError("the piece was interrupted on its worker") from None


def _job(text: bytes, name: str) -> Any:
    """Return a job, the same one for all of its pieces that a process does."""
    if name not in _jobs:
        _jobs[name] = unpacked(text)
        while len(_jobs) > HELD:
            _jobs.popitem(last=False)
    return _jobs[name]


def called_off() -> Callable[[], bool]:
    """Return what tells, at any later time, whether nobody waits for this task any more."""
    from distributed import get_worker

    worker = get_worker()
    key = worker.get_current_task()

    def told() -> bool:
        task = worker.state.tasks.get(key)
        return task is None or task.state in ("cancelled", "released", "forgotten")

    return told
