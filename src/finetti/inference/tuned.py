"""Hand on what one run's warm-up learned to another run of the same model."""

from __future__ import annotations

from collections.abc import Mapping

import jax.numpy as jnp
import numpy as np

from finetti.errors import ModelError
from finetti.inference.engine.batch import alone
from finetti.inference.engine.run import Run
from finetti.inference.methods.method import Chains
from finetti.kernels.kernel import Tuning
from finetti.kernels.metric import Metric
from finetti.posterior.learned import Learned
from finetti.targets.density import Target
from finetti.types import Constants


def told(run: Run, metric: Metric, target: Target) -> Learned:
    """Return what a run of one fit has learned that another of the model can use."""
    tuning = run.carry.tuning
    size, scale = (np.asarray(a)[..., 0] for a in tuning)
    scale = np.asarray(metric.lasting(scale))
    coordinates = {} if run.own is None else target.form.lasting(alone(run.own).rewrites)
    return Learned(size, scale, {n: dict(c) for n, c in coordinates.items()})


def adopted(
    learned: Learned,
    target: Target,
    constants: Mapping[str, Constants],
    method: Chains,
) -> tuple[Tuning, dict[str, Constants]]:
    """Return the tuning and the constants of a target's coordinates, such as `constants`.

    Raises `ModelError` for what was learned in other coordinates, or of another number of them.
    """
    dim, found = target.layout.dim, {}
    if not method.kernel(target.layout).metric.fits(np.shape(learned.scale), dim):
        raise ModelError(
            f"tuning= has a metric of shape {np.shape(learned.scale)}, and the plan leaves {dim} "
            f"dimensions to sample: give what a fit of this model with this plan and by "
            f"{type(method).__name__} has learned"
        )
    known = learned.coordinates
    for name in (*constants, *(n for n in known if n not in constants)):
        shapes = [
            {c: np.shape(a) for c, a in side.get(name, {}).items()} for side in (constants, known)
        ]
        if shapes[0] != shapes[1]:
            raise ModelError(
                f"tuning= was not learned by this plan: they do not agree on the coordinates of "
                f"`{name}`. Give posterior.learned of a fit of this model with this plan, or leave "
                f"tuning= out"
            )
        found[name] = {c: np.asarray(a) for c, a in known[name].items()}
    return Tuning(jnp.asarray(learned.step_size), jnp.asarray(learned.scale)), found
