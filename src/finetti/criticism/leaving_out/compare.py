"""Compare models by how well they predict what they have not seen, and say what it means."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from finetti.criticism.leaving_out.elpd import Elpd
from finetti.criticism.leaving_out.loo import loo
from finetti.errors import ModelError
from finetti.hypertext.html import block, grid, items
from finetti.posterior.posterior import Posterior, require_posterior
from finetti.types import Float

if TYPE_CHECKING:
    import pandas as pd

SMALL = 4.0  # nats: smaller differences are small whatever their error (Sivula et al. 2020)
FEW = 100  # points: with fewer the error of a difference is too small
CLEAR = 2.0  # standard errors


@dataclass(frozen=True, eq=False)
class Comparison:
    """Hold models' scores on the same data, best first.

    `table` has a row a model: `elpd` and its standard error `se`; `diff`, its elpd less that of
    the best, and `se_diff`, the standard error of that; `p`, the effective number of parameters;
    `weight`, the model's share in the mixture of all that predicts best (stacking, Yao et al.
    2018); `refitted` and `unreliable`, numbers of points. Print it to read it.

    >>> found = compare({"one": posterior, "the same": posterior})
    >>> set(found.table.index), float(found.table["diff"].max())
    ({'one', 'the same'}, 0.0)
    """

    elpds: Mapping[str, Elpd]

    @property
    def best(self) -> str:
        """Return the name of the model that predicts best."""
        return next(iter(self.elpds))

    @property
    def table(self) -> pd.DataFrame:
        """Return the numbers, a row a model."""
        import pandas as pd

        return pd.DataFrame.from_dict(self._rows(), orient="index")

    def _rows(self) -> dict[str, dict[str, float]]:
        """Return the table's numbers by model, in the order of the scores."""
        weights, rows = self.weights, {}
        for name, found in self.elpds.items():
            diff, se_diff = self._difference(name)
            rows[name] = {
                "elpd": found.elpd,
                "se": found.se,
                "diff": diff,
                "se_diff": se_diff,
                "p": found.p,
                "weight": weights[name],
                "refitted": len(found.refitted),
                "unreliable": len(found.unreliable),
            }
        return rows

    @property
    def weights(self) -> dict[str, float]:
        """Return each model's share in the mixture that predicts best."""
        scores = np.stack([found.pointwise for found in self.elpds.values()], 1)
        return dict(zip(self.elpds, stack(scores).tolist(), strict=True))

    def sentences(self) -> list[str]:
        """Return what the differences mean, and what to know of the scores."""
        first = self.elpds[self.best]
        many = first.pointwise.size
        said = [self._meaning(name) for name in self.elpds if name != self.best]
        if many < FEW and any(abs(self._difference(n)[0]) >= SMALL for n in self.elpds):
            said.append(
                f"With {many} points, fewer than {FEW}, the standard error of a difference is "
                f"itself uncertain and tends to be too small: take a difference as clear only if "
                f"it is several times as large."
            )
        if len({found.discrete for found in self.elpds.values()}) > 1:
            said.append(
                "Some models give probabilities of whole numbers and others densities: they can "
                "be compared only if the densities are those of data rounded to whole numbers."
            )
        for name, found in self.elpds.items():
            said += [f"{name}: {note}" for note in found.notes()]
        return said

    def _meaning(self, name: str) -> str:
        diff, error = self._difference(name)
        said = (
            f"{self.best} predicts better than {name} by {-diff:.1f} (standard error {error:.1f})"
        )
        if abs(diff) < SMALL:
            return (
                f"{said}: less than {SMALL:g}, which is small, so prediction does not tell them "
                f"apart; choose by what each is for, or average them by their weights."
            )
        if abs(diff) < CLEAR * error:
            return f"{said}: less than {CLEAR:g} standard errors, so the data leave it open."
        return f"{said}: more than {CLEAR:g} standard errors, so {name} clearly predicts worse."

    def _difference(self, name: str) -> tuple[float, float]:
        diff = self.elpds[name].pointwise - self.elpds[self.best].pointwise
        return float(diff.sum()), float(np.sqrt(diff.size * diff.var(ddof=1)))

    def as_dict(self) -> dict[str, object]:
        """Return table and sentences in plain Python, to be written as JSON."""
        first = self.elpds[self.best]
        return {
            "method": first.method,
            "points": first.pointwise.size,
            "models": {
                name: {
                    **row,
                    "refitted": self.elpds[name].refitted,
                    "unreliable": self.elpds[name].unreliable,
                    "mcse": self.elpds[name].mcse,
                }
                for name, row in self._rows().items()
            },
            "sentences": self.sentences(),
        }

    def __str__(self) -> str:
        """Print the table and the sentences."""
        shown = self.table.assign(weight=[f"{weight:.2f}" for weight in self.weights.values()])
        counts = {"refitted": int, "unreliable": int}
        table = shown.astype(counts).to_string(float_format="{:.1f}".format)
        return "\n".join([self._head, "", table, "", *self.sentences()])

    @property
    def _head(self) -> str:
        first = self.elpds[self.best]
        return f"{first.method}, {first.pointwise.size:,} points; elpd in nats, larger is better"

    def __repr__(self) -> str:
        return f"<comparison of {', '.join(self.elpds)}: {self.best} predicts best>"

    def _repr_html_(self) -> str:
        rows = self._rows()
        heads = list(rows[self.best])
        digits = {"weight": 2, "refitted": 0, "unreliable": 0}
        written = [
            (name, *(f"{row[h]:.{digits.get(h, 1)}f}" for h in heads)) for name, row in rows.items()
        ]
        return block(grid(("", *heads), written, self._head), items(self.sentences()))


def compare(
    *fits: Posterior | Elpd | Mapping[str, Posterior | Elpd],
    of: str | None = None,
    refits: int = 20,
    seed: int = 0,
) -> Comparison:
    """Compare models of the same data by the log density of what they have not seen.

    `fits` are posteriors, which are scored by `ft.loo` with the settings given, or scores made by
    `ft.loo` or `ft.kfold`; they bear the names of their models, or those of a mapping, as in
    `ft.compare({"pooled": a, "partial": b})`.

    Raises `ModelError` where two are not of the same observations, or were scored differently.

    Vehtari, Gelman & Gabry 2017; Sivula, Magnusson, Matamoros & Vehtari 2020; Yao, Vehtari, Simpson
    & Gelman 2018.

    >>> @model
    ... def weights(scale, y):
    ...     mu = sample("mu", Normal(0, scale))
    ...     with plate("apple", len(y)):
    ...         sample("y", Normal(mu, 1), obs=y)
    >>> few = NUTS(draws=500, warmup=300)
    >>> wide, narrow = (
    ...     fit(weights(scale, [4.0, 5.0, 3.5, 4.5]), few, progress=False) for scale in (10, 0.1)
    ... )
    >>> comparison = ft.compare({"wide": wide, "narrow": narrow})
    >>> comparison.best
    'wide'
    """
    given = _named(fits)
    if len(given) < 2:
        raise ModelError("a comparison needs at least two models")
    scored = {
        name: found if isinstance(found, Elpd) else loo(found, of, refits=refits, seed=seed)
        for name, found in given.items()
    }
    for (a, first), (b, second) in pairwise(scored.items()):
        _agree(a, first, b, second)
    best_first = sorted(scored.items(), key=lambda item: -item[1].elpd)
    return Comparison(dict(best_first))


def stack(scores: Float[np.ndarray, "point model"]) -> Float[np.ndarray, " model"]:
    """Return the weights of the mixture of models with the largest log score.

    Yao, Vehtari, Simpson & Gelman 2018, equation 4. `arviz_stats.compare` does the same, and fails
    where a density of a whole group is smaller than the smallest float.
    """
    from scipy.optimize import minimize

    density = np.exp(scores - scores.max(1, keepdims=True))
    models = density.shape[1]

    def loss(weights: np.ndarray) -> tuple[float, np.ndarray]:
        mixed = density @ weights
        return -np.log(mixed).mean(), -(density / mixed[:, None]).mean(0)

    found = minimize(
        loss,
        np.full(models, 1 / models),
        jac=True,
        bounds=[(1e-12, 1)] * models,
        constraints={"type": "eq", "fun": lambda w: w.sum() - 1, "jac": np.ones_like},
        options={"ftol": 1e-12, "maxiter": 1000},
    )
    weights = np.clip(found.x, 0, 1)
    return weights / weights.sum()


def _named(
    fits: tuple[Posterior | Elpd | Mapping[str, Posterior | Elpd], ...],
) -> dict[str, Posterior | Elpd]:
    """Name each fit by its mapping or its model, models of one name by a number as well."""
    found: dict[str, Posterior | Elpd] = {}
    for one in fits:
        if isinstance(one, Mapping):
            parts = dict(one)
        else:
            if not isinstance(one, Elpd):
                require_posterior(one, "ft.compare")
            parts = {one.model if isinstance(one, Elpd) else one.known_model("comparing").name: one}
        for name, fit in parts.items():
            if not isinstance(fit, Elpd):
                require_posterior(fit, "ft.compare")
            number, free = 1, name
            while free in found:
                number += 1
                free = f"{name} {number}"
            found[free] = fit
    return found


def _agree(a: str, first: Elpd, b: str, second: Elpd) -> None:
    """Refuse scores that are not of the same observations, or not made in the same way."""
    for (x, left), (y, right) in zip(first.observed.items(), second.observed.items(), strict=False):
        if left.shape != right.shape:
            raise ModelError(
                f"{a} observes `{x}` of shape {left.shape} and {b} `{y}` of shape {right.shape}: "
                f"only models of the same observations can be compared"
            )
        other = (left != right) & ~((left != left) & (right != right))  # NaN: in part unknown
        if other.any():
            place = [int(i) for i in np.argwhere(other)[0]]
            raise ModelError(
                f"{a} and {b} observe other values: at {place} `{x}` is {left[tuple(place)]} and "
                f"`{y}` is {right[tuple(place)]}; only models of the same observations, in the "
                f"same order and on the same scale, can be compared"
            )
    if len(first.observed) != len(second.observed):
        names = [", ".join(f"`{n}`" for n in e.observed) for e in (first, second)]
        raise ModelError(f"{a} scores {names[0]} and {b} {names[1]}: they are other observations")
    pairs = zip(first.codes.values(), second.codes.values(), strict=True)
    alike = all(np.array_equal(x, y) for x, y in pairs)
    if not alike or not np.array_equal(first.folds, second.folds):
        raise ModelError(
            f"{a} was scored by {first.method} and {b} by {second.method}, and not with the same "
            f"left out at a time: do for both the same, with the same seed"
        )
