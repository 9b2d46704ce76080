"""Take a journey to its end, and make a posterior of what came of it."""

from __future__ import annotations

import signal
from collections.abc import Callable
from time import perf_counter
from typing import Any

from finetti.inference.journey import Journey
from finetti.inference.keeping import Keeper
from finetti.inference.methods.recorded import written
from finetti.inference.progress import Display, announce
from finetti.inference.stopping import Stop
from finetti.inference.tuned import told
from finetti.posterior.learned import LEARNED
from finetti.posterior.posterior import Posterior

ENDED = "ended"  # the attribute that says why a run ended


def outcome(
    journey: Journey,
    display: Display,
    stop: Stop,
    seed: int,
    elsewhere: Callable[[Journey], None] = lambda journey: None,
) -> Posterior:
    """Go through what is left of a run, and return its posterior.

    Once warm-up is over draws may be made `elsewhere`; those that are left are made here.
    Raises `KeyboardInterrupt` where it is asked to stop before there is a draw to keep; a run on
    disk can then be gone on with, and the exception says how.
    """
    work, keeper = journey.work, journey.keeper
    if journey.idle:
        return keeper.finish(work.built, 0, {}, {})
    try:
        journey.warm_up(display)
        elsewhere(journey)
        journey.draw(display)
    except KeyboardInterrupt:
        if keeper.path is None:
            raise
        raise KeyboardInterrupt(
            f"stopped before there was a draw to keep; {onward(keeper)}"
        ) from None
    groups = {}
    for reader in journey.readers:
        groups |= reader.finish()
    course = journey.sampler.course
    groups[LEARNED] = told(journey.run, course.kernel.metric, course.target).dataset()
    draws, ended = journey.shelf.level, journey.ended
    if ended == "signal":
        ended = signal.Signals(stop.signal or signal.SIGINT).name
    attributes: dict[str, Any] = {
        **written(work.method),
        "seed": seed,
        "seconds": keeper.before + perf_counter() - keeper.began,
        "created_by": "finetti",
        ENDED: ended,
    }
    if ended == "time" or journey.ended == "signal":
        attributes["draws_wanted"] = work.method.draws
    if journey.ended == "signal":
        attributes["interrupted"] = ended
    announce(display, _said(journey, draws, ended))
    return keeper.finish(work.built, draws, groups, attributes)


def _said(journey: Journey, draws: int, ended: str) -> str:
    """Say why a run ended, if not with its draws, and how to go on with it where it is on disk."""
    known = {
        "precision": f"ended after {draws:,} draws a chain, which are as precise as asked for",
        "time": f"ended after {draws:,} draws a chain, as the time was spent",
        "signal": f"stopped by {ended} after {draws:,} draws a chain",
    }
    if journey.ended == "draws":
        if not journey.work.method.wishes:
            return ""
        return f"ended after {draws:,} draws a chain, the most: not as precise as asked for"
    said = known[journey.ended]
    on_disk = journey.keeper.path is not None and journey.ended != "precision"
    return f"{said}; {onward(journey.keeper)}" if on_disk else said


def onward(keeper: Keeper) -> str:
    """Say how to go on with a run."""
    return f"ft.resume({str(keeper.path)!r}, model) or finetti resume {keeper.path} goes on"
