"""Prepare a run: its sampler, the stages it goes through, and the state that it starts in."""

from __future__ import annotations

from finetti.inference.engine import learn, warmup
from finetti.inference.engine.batch import Own
from finetti.inference.engine.learn import Places, beside
from finetti.inference.engine.run import SAMPLING, WARMUP, Run, Sampler, Stage, one
from finetti.inference.engine.sweep import Course
from finetti.inference.methods.method import Chains
from finetti.kernels.kernel import Point, Tuning
from finetti.structure.form import Given
from finetti.targets.density import Target
from finetti.types import Key


def prepare(  # noqa: PLR0913 - all that a run starts from
    target: Target,
    method: Chains,
    shared: Given,
    own: Own,
    keys: Key,
    points: Point,
    *,
    draws: int | None = None,
    settle: bool = True,
    tuning: Tuning | None = None,
) -> tuple[Sampler, Run]:
    """Return the sampler of a method, and the run of its chains from `points`.

    `keys` and `points` have leading axes (fit, chain), and `own` that of fits. So many `draws` a
    chain are made and kept, as many as the method has if it is not said. `settle` lets the
    centred sites begin at their mode given all else. With a `tuning`, for one fit, warm-up learns
    nothing and only takes the chains from where they start; the constants stay as they are.
    """
    fits, _ = keys.shape
    draws = method.draws if draws is None else draws
    sampler = sampler_of(target, method, shared, fits, draws, tuned=tuning is not None)
    if tuning is None:
        places = sampler.coordinates
        assert isinstance(places, Places)
        own, points = places.start(shared, own, keys, points, settle)
    run = sampler.begin(own, keys.ravel(), beside(points), method.first_step)
    return sampler, run if tuning is None else sampler.adopt(run, one(tuning))


def sampler_of(
    target: Target, method: Chains, shared: Given, fits: int, draws: int, tuned: bool
) -> Sampler:
    """Return the sampler of a method for so many kept draws; `tuned`: its tuning is given."""
    places = Places(target, method.chains)
    assert method.warmup is not None, "the method was not suited"
    ends = warmup.schedule(method.warmup, method.chains)
    course = Course(method.kernel(target.layout), target, ends, fits=fits)
    learns = method.learns and not tuned
    stages = _stages(method, ends, learns, learns and places.learned)
    stages = (*stages, Stage(SAMPLING, draws * (method.thin or 1)))
    return Sampler.of(course, shared, (target.layout.dim, fits * method.chains), stages, places)


def _stages(
    method: Chains, ends: tuple[int, ...], learns: bool, relearns: bool
) -> tuple[Stage, ...]:
    """Return warm-up's stages: one, or those between which coordinates are learned again."""
    lengths = [method.warmup] if method.warmup else []
    if method.warmup and relearns:
        lengths = learn.lengths(ends, method.warmup, method.chains)
    return tuple(Stage(WARMUP + i, n, learns) for i, n in enumerate(lengths))
