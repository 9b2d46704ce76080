"""Simulate 200 groups, half of 2 and half of 200 observations, with three kinds of observations."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

SIZES = np.repeat([2, 200], 100)


def model(kind: str, centred: bool) -> Any:
    """Return the model of random intercepts with its data, written in either form."""
    import jax.numpy as jnp

    import finetti as ft

    random = np.random.default_rng(3)
    group = np.repeat(np.arange(len(SIZES)), SIZES)
    effect = random.normal(0.5, 0.7, len(SIZES))[group]
    seen: dict[str, Callable[[], np.ndarray]] = {
        "normal": lambda: random.normal(effect, 1.0),
        "poisson": lambda: random.poisson(np.exp(effect)),
        "bernoulli": lambda: random.binomial(1, 1 / (1 + np.exp(-effect))),
    }

    @ft.model
    def intercepts(group):
        mu = ft.sample("mu", ft.Normal(0, 5))
        tau = ft.sample("tau", ft.HalfNormal(2))
        noise = ft.sample("sigma", ft.HalfNormal(2)) if kind == "normal" else None
        with ft.plate("group", group):
            if centred:
                theta = ft.sample("theta", ft.Normal(mu, tau))
            else:
                eta = ft.sample("eta", ft.Normal(0, 1))
                theta = ft.deterministic("theta", mu + tau * eta)
        with ft.plate("row", len(group)):
            mean = theta[group]
            family = {
                "normal": lambda: ft.Normal(mean, noise),
                "poisson": lambda: ft.Poisson(jnp.exp(mean)),
                "bernoulli": lambda: ft.Bernoulli(logits=mean),
            }[kind]
            ft.sample("y", family())

    return intercepts(ft.groups(group)).condition(y=seen[kind]())


FORMS = {
    f"200 groups, {kind}": (partial(model, kind, True), partial(model, kind, False))
    for kind in ("normal", "poisson", "bernoulli")
}
