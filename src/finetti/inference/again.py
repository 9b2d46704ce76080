"""Fit a model in the way that a run was made, also where the run comes from a file."""

from __future__ import annotations

import json
import warnings

from finetti.inference.fit import fit_alike
from finetti.inference.methods.recorded import SETTINGS, read
from finetti.inference.methods.trajectories import NUTS
from finetti.models import Model
from finetti.posterior.posterior import Posterior
from finetti.structure.choices import Choices


def refit(posterior: Posterior, model: Model, seed: int) -> Posterior:
    """Fit another model by the method and the plan's choices that a posterior was made with.

    Where a run does not say them, since an older version saved it or the method is not finetti's
    own, it is NUTS with as many draws, and a warning says so. Raises `KeyboardInterrupt` where the
    fit is interrupted: whoever asks needs it whole.
    """
    if posterior.refit is not None:
        return posterior.refit(model, seed)
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
    return fit_alike(method, choices, model, seed)
