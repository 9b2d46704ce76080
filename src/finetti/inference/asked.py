"""Refuse what no fit can be asked for, in a sentence that says what is asked for instead."""

from __future__ import annotations

from collections.abc import Mapping

from finetti.errors import SamplingError
from finetti.inference.methods.method import Method
from finetti.posterior.learned import Learned
from finetti.structure.plan import Plan


def refuse_strange(method: object, plan: object, init: object, tuning: object) -> None:
    """Refuse a method, plan, starting values or tuning that is none."""
    if not isinstance(method, Method):
        raise SamplingError(
            f"ft.fit takes a method, such as ft.NUTS(draws=2000), not {method!r:.80}"
        )
    if plan is not None and not isinstance(plan, Plan):
        raise SamplingError(
            f"plan= takes a plan, such as model.plan().as_written(), not {plan!r:.80}"
        )
    if init is not None and not isinstance(init, Mapping):
        raise SamplingError(
            f"init= takes a start of each latent variable by name, {{'mu': 0.0}}, not {init!r:.80}"
        )
    if tuning is not None and not isinstance(tuning, Learned):
        raise SamplingError(f"tuning= takes the `learned` of a posterior, not {tuning!r:.80}")
