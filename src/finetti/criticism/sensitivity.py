"""Find how far the posterior hangs on each prior and on the likelihood, by power-scaling them.

A prior or the likelihood is raised to a power a little above and below one. How fast a variable's
marginal posterior moves then, by the cumulative Jensen-Shannon distance, is its sensitivity. The
draws are weighted for it, nothing is fitted again.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from finetti.criticism.leaving_out.held_out import known_model
from finetti.errors import ModelError, UnknownSite
from finetti.hypertext.html import block, grid, items
from finetti.models import Model
from finetti.posterior.diagnose import quiet
from finetti.posterior.labels import dotted, is_hidden
from finetti.posterior.posterior import Posterior, require_posterior
from finetti.structure.words import listed

if TYPE_CHECKING:
    import pandas as pd
    import xarray as xr

LIMIT = 0.05  # Kallioinen et al. 2023: about a 0.3 sd shift when the power is doubled
PRIOR, LIKELIHOOD = "prior", "likelihood"
CONSTANT = 1e-9  # nats, about what rounding leaves


@dataclass(frozen=True, eq=False)
class Sensitivity:
    """Hold the sensitivities; print them to read what they mean.

    `table` has a row a scalar variable. Its column `prior` is the sensitivity to the priors of the
    sites `scaled` together, `likelihood` that to all observations together, and there is one more
    column a latent site, with the sensitivity to its own prior, or to its population's
    distribution where it is a group's effect.

    Kallioinen, Paananen, Buerkner & Vehtari 2023.

    >>> found = sensitivity(posterior)
    >>> list(found.table.columns)
    ['prior', 'likelihood', 'mu', 'tau', 'theta']
    """

    table: pd.DataFrame
    scaled: tuple[str, ...]

    @property
    def conflicts(self) -> list[str]:
        """Return the variables that prior and likelihood both move: they may disagree."""
        return [n for n, (prior, data) in self._pairs() if prior >= LIMIT and data >= LIMIT]

    @property
    def weak(self) -> list[str]:
        """Return the variables that the prior moves and the likelihood does not."""
        return [n for n, (prior, data) in self._pairs() if prior >= LIMIT > data]

    def _pairs(self) -> list[tuple[str, tuple[float, float]]]:
        numbers = self.table[[PRIOR, LIKELIHOOD]].to_numpy(float).tolist()
        return [(str(n), (a, b)) for n, (a, b) in zip(self.table.index, numbers, strict=True)]

    def sentences(self) -> list[str]:
        """Return what the sensitivities mean, a sentence a variable that needs one."""
        pairs = dict(self._pairs())
        found = [self._conflict(name, *pairs[name]) for name in self.conflicts]
        found += [self._weak(name, *pairs[name]) for name in self.weak]
        if not found:
            priors = listed(f"`{name}`" for name in self.scaled)
            found.append(
                f"No variable hangs on the priors of {priors}: all sensitivities to them are below "
                f"{LIMIT}."
            )
        return found

    def _conflict(self, name: str, prior: float, likelihood: float) -> str:
        return (
            f"{name}: prior and data may be in conflict. Both move it (sensitivity {prior:.2f} to "
            f"the prior{self._mostly(name)}, {likelihood:.2f} to the likelihood; {LIMIT} is "
            f"much). See whether the prior says what you meant, and whether the data are what you "
            f"think; if you mean the prior to weigh, keep it and say so."
        )

    def _weak(self, name: str, prior: float, likelihood: float) -> str:
        return (
            f"{name}: the prior speaks and the data hardly do. The prior moves it (sensitivity "
            f"{prior:.2f}{self._mostly(name)}) and the likelihood does not ({likelihood:.2f}; "
            f"below {LIMIT} is little). Report it as what you assumed, or bring data that tell of "
            f"it."
        )

    def _mostly(self, name: str) -> str:
        """Name the prior that moves a variable most, if there are several."""
        own = {s: np.asarray(self.table.at[name, dotted(s)]).item() for s in self.scaled}
        return f", mostly to that of `{max(own, key=lambda s: own[s])}`" if len(own) > 1 else ""

    def __str__(self) -> str:
        """Print the table and the sentences."""
        shown = self.table.to_string(float_format="{:.2f}".format)
        return "\n".join([shown, "", *self.sentences()])

    def __repr__(self) -> str:
        return f"<sensitivity of {len(self.table)} numbers to {listed(self.scaled)}>"

    def _repr_html_(self) -> str:
        numbers = self.table.to_numpy(float)
        rows = [
            (str(name), *map("{:.2f}".format, row))
            for name, row in zip(self.table.index, numbers, strict=True)
        ]
        marked = {(i, j + 1) for i, j in np.argwhere(numbers >= LIMIT).tolist() if j == 0}
        caption = f"Sensitivity to the priors and the likelihood; {LIMIT} is much"
        heads = ("", *map(str, self.table.columns))
        return block(grid(heads, rows, caption, marked), items(self.sentences()))


def sensitivity(
    posterior: Posterior,
    names: str | Iterable[str] | None = None,
    *,
    priors: str | Iterable[str] | None = None,
) -> Sensitivity:
    """Return how fast the posterior of each variable moves with the priors and the likelihood.

    `names` are the sites whose scalars are looked at: without it all that lie in no plate.
    `priors` names the latent sites whose priors count as such together: without it those that lie
    in no plate and whose prior depends on no other site; the distributions of groups' effects are
    part of the model of the data.

    Raises `UnknownSite` for a name that no site has, `ModelError` for a posterior without model or
    draws.

    Kallioinen, Paananen, Buerkner & Vehtari 2023, by arviz-stats.

    >>> @model
    ... def weights(y):
    ...     mu = sample("mu", Normal(0, 1))
    ...     with plate("apple", len(y)):
    ...         sample("y", Normal(mu, 1), obs=y)
    >>> posterior = fit(weights([5.0, 6.0, 5.5]), NUTS(draws=500), progress=False)
    >>> ft.sensitivity(posterior).conflicts
    ['mu']
    """
    import pandas as pd
    import xarray as xr
    from arviz_base import dataset_to_dataframe
    from arviz_stats.psense import psense

    require_posterior(posterior, "ft.sensitivity")
    model = known_model(posterior, "sensitivity")
    shown = _shown(model)
    latent = {told: name for name, told in shown.items()}
    given = (priors,) if isinstance(priors, str) else priors
    asked = _priors(model) if given is None else tuple(given)
    for name in asked:
        if name not in latent and name not in shown:
            raise UnknownSite.among(name, list(latent), "scale the prior of")
    scaled = [latent.get(name, name) for name in asked]
    tree = xr.DataTree.from_dict(
        {
            "posterior": _looked_at(posterior, model, names),
            "log_prior": _summed(posterior.log_prior()),
            "log_likelihood": _summed(posterior.log_likelihood()),
        }
    )
    columns = {PRIOR: (PRIOR, [dotted(n) for n in scaled]), LIKELIHOOD: (LIKELIHOOD, None)}
    columns |= {dotted(told): (PRIOR, [dotted(n)]) for n, told in shown.items()}
    found = {}
    with quiet():
        for column, (group, sites) in columns.items():
            if _constant(tree[f"log_{group}"].dataset, sites):  # a power of it changes nothing
                continue
            made = psense(tree, group=group, group_var_names=sites)
            one = made.expand_dims("column")
            found[column] = dataset_to_dataframe(one, sample_dims=["column"]).iloc[0]
    table = pd.DataFrame(found, index=_labels(tree)).dropna(how="all")  # constants have no spread
    told = tuple(shown[name] for name in scaled)
    return Sensitivity(table.reindex(columns=list(columns), fill_value=0.0), told)


def _shown(model: Model) -> dict[str, str]:
    """Return what latent sites are called: hidden ones by what is computed of them alone."""
    graph = model.graph()
    made = [v.name for v in model.variables if v.kind == "deterministic"]
    found = {}
    for name in (v.name for v in model.variables if v.kind == "latent"):
        own = [d for d in made if set(graph.parents[d]) == {name}] if is_hidden(name) else []
        found[name] = ", ".join(own) or name
    return found


def _labels(tree: xr.DataTree) -> list[str]:
    """Return the names of the scalars looked at, as the table has them."""
    from arviz_base import dataset_to_dataframe

    first = tree["posterior"].dataset.isel(chain=0, draw=[0], drop=True)
    return list(map(str, dataset_to_dataframe(first, sample_dims=["draw"]).columns))


def _constant(terms: xr.Dataset, sites: list[str] | None) -> bool:
    """Tell whether a log density is the same at all draws, as a uniform prior's is."""
    chosen = list(terms) if sites is None else sites
    return bool(np.ptp(sum(terms[name] for name in chosen).to_numpy()) < CONSTANT)  # pyright: ignore[reportAttributeAccessIssue]


def _priors(model: Model) -> tuple[str, ...]:
    """Return the latent sites at the top, which lie in no plate and depend on no other."""
    graph = model.graph()
    tops = [v for v in model.variables if v.kind == "latent" and not graph.parents[v.name]]
    return tuple(v.name for v in tops if not v.plates) or tuple(v.name for v in tops)


def _looked_at(posterior: Posterior, model: Model, names: Iterable[str] | None) -> xr.Dataset:
    """Return the draws of the sites named, or of those in no plate; discrete ones left out."""
    draws = posterior.tree["posterior"].dataset
    if names is not None:
        return posterior.chosen(names)
    chosen = [
        dotted(v.name)
        for v in model.variables
        if v.kind in ("latent", "deterministic") and not v.plates and not v.discrete
    ]
    found = [name for name in chosen if name in draws and not is_hidden(name)]
    if not found:
        raise ModelError(
            f"model `{model.name}` has no site outside its plates to look at: name some, as in "
            f"ft.sensitivity(posterior, [{str(next(iter(draws)))!r}])"
        )
    return draws[found]


def _summed(terms: xr.Dataset) -> xr.Dataset:
    """Sum each site's terms, leaving the chains and draws."""
    return terms.map(lambda a: a.sum([d for d in a.dims if d not in ("chain", "draw")]))
