"""Fit a model in the way that a run was made, also where the run comes from a file."""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable
from functools import partial

from finetti.inference.fit import fit_alike
from finetti.inference.methods.recorded import SETTINGS, read
from finetti.inference.methods.trajectories import NUTS
from finetti.models import Model
from finetti.posterior.posterior import Posterior
from finetti.structure.choices import Choices


def refit(posterior: Posterior) -> Callable[[Model, int], Posterior]:
    """Return what fits another model, with a seed, by a posterior's method and plan's choices.

    Where a run does not say them, since an older version saved it or the method is not finetti's
    own, it is NUTS with as many draws, and a warning says so. The fit raises `KeyboardInterrupt`
    where it is interrupted: whoever asks needs it whole.
    """
    if posterior.refit is not None:
        return posterior.refit
    attributes = posterior.attributes
    choices = Choices.of(json.loads(attributes["plan"])) if "plan" in attributes else Choices()
    if SETTINGS in attributes:
        method = read(attributes[SETTINGS])
    else:
        sizes = posterior.tree["posterior"].sizes
        method = NUTS(draws=sizes["draw"], chains=sizes["chain"])
        warnings.warn(
            f"the run does not say how to make its method again "
            f"({attributes.get('method', 'none is named')}): models are fitted by {method!r}. Fit "
            f"and save it anew to have its own",
            stacklevel=2,
        )
    return partial(fit_alike, method, choices)
