"""Fit each of many models by itself, as those of one model to each segment of a table."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping
from copy import copy
from dataclasses import dataclass, replace
from functools import partial
from typing import TypeVar

from finetti.errors import FinettiError
from finetti.inference.asked import refuse_strange
from finetti.inference.cluster.pieces import done
from finetti.inference.cluster.reached import On, reached
from finetti.inference.fit import fit, fit_alike
from finetti.inference.methods.independent import Automatic
from finetti.inference.methods.method import Method
from finetti.language.handlers import whole_seed
from finetti.models import Model, require_model
from finetti.posterior.posterior import Posterior

Label = TypeVar("Label", bound=Hashable)


def fit_many(
    models: Mapping[Label, Model],
    method: Method | None = None,
    *,
    seed: int = 0,
    keep: Iterable[str] | None = None,
    on: On = None,
) -> dict[Label, Posterior]:
    """Fit each of many models, such as one to each segment's data, and return posteriors by label.

    The fit numbered i, from 0, is `fit(model, method, seed=seed + i, keep=keep)`, bit for bit on
    machines of one kind. The fits are made one after another, or side by side on the cluster `on`,
    as in `fit`; each is then a piece, which is made again if its worker dies.

    Raises what `fit` raises, with the label of the first that fails.

    >>> tosses = {"cent": (10, 7), "dime": (12, 5)}
    >>> found = fit_many({name: coin(n).condition(heads=k) for name, (n, k) in tosses.items()})
    >>> sorted(found), found["dime"]["p"].shape
    (['cent', 'dime'], (4, 1000))
    """
    if not isinstance(models, Mapping):
        raise TypeError(f"ft.fit_many takes models by label, a dict, not {type(models).__name__}")
    for model in models.values():
        require_model(model, "ft.fit_many")
    method, seed = method or Automatic(), whole_seed(seed)
    refuse_strange(method, None, None, None)
    kept = (keep,) if isinstance(keep, str) else None if keep is None else tuple(keep)
    pieces = [(label, models[label], seed + i) for i, label in enumerate(models)]
    with reached(on) as client:
        found = done(Each(method, kept), pieces, client)
    again = partial(fit_alike, method, None)
    return {
        label: replace(posterior, model=copy(model), refit=again)
        for (label, model, _), posterior in zip(pieces, found, strict=True)
    }


@dataclass(frozen=True)
class Each:
    """Fit a model by a method: a job whose pieces are a label, a model and a seed."""

    method: Method
    keep: tuple[str, ...] | None

    def __call__(self, piece: tuple[Hashable, Model, int]) -> Posterior:
        """Return the posterior without its model, which whoever asks has."""
        label, model, seed = piece
        try:
            found = fit(model, self.method, seed=seed, keep=self.keep, progress=False)
        except FinettiError as error:
            raise type(error)(f"the fit of {label!r:.80}: {error}") from error
        if "interrupted" in found.attributes:
            raise KeyboardInterrupt
        return replace(found, model=None, refit=None)
