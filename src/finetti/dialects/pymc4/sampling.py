"""Sample PyMC4 models, draw their prior and posterior predictions, and hand them to ArviZ."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import jax
import numpy as np

from finetti.compiling import ONCE, compiled
from finetti.dialects import tf
from finetti.dialects.pymc4 import configured
from finetti.dialects.pymc4.coroutines import Model
from finetti.dialects.pymc4.evaluating import Space
from finetti.inference.fit import fit
from finetti.inference.methods.trajectories import NUTS
from finetti.language import handlers
from finetti.posterior.labels import dotted
from finetti.posterior.posterior import Posterior
from finetti.structure.program import invert

if TYPE_CHECKING:
    import xarray as xr


class Draws(NamedTuple):
    """Hold draws and statistics by name, shapes (draw, chain, ...): the pair that `sample` gave.

    In the release after, `sample` returned ArviZ's InferenceData: `posterior`, `sample_stats`,
    `observed_data` are its groups, and `tree` is the whole.
    """

    trace: dict[str, np.ndarray]
    sample_stats: dict[str, np.ndarray]
    run: Posterior

    def __iter__(self) -> Any:
        return iter((self.trace, self.sample_stats))

    def __len__(self) -> int:
        return 2

    @property
    def tree(self) -> xr.DataTree:
        """Return everything as ArviZ takes it."""
        tree = trace_to_arviz(self.trace, self.sample_stats)
        tree["observed_data"] = self.run.tree["observed_data"]
        return tree

    @property
    def posterior(self) -> xr.Dataset:
        """Return the draws as ArviZ's group, under their own names."""
        import arviz_base

        return arviz_base.dict_to_dataset({k: _draws_first(v) for k, v in self.trace.items()})

    @property
    def observed_data(self) -> xr.Dataset:
        """Return the data as ArviZ's group."""
        return self.run.tree["observed_data"].dataset


def sample(model: Any, *args: Any, **kwargs: Any) -> Any:
    """Sample a model of either design, by the arguments of its own `sample`.

    A configured `Model` takes `num_results, num_burnin_steps, step_size, num_leapfrog_steps` and
    gives a dict; a generator's takes `num_samples, num_chains, burn_in, step_size` and gives
    `Draws`, a pair of dicts.
    """
    if isinstance(model, configured.Model):
        return configured.sample(model, *args, **kwargs)
    if not isinstance(model, Model):
        raise TypeError(f"sample takes a model; call it first: sample(model()), not {model!r}")
    return sample_generator(model, *args, **kwargs)


def sample_generator(  # noqa: PLR0913 - PyMC4's own arguments
    model: Model,
    num_samples: int = 1000,
    num_chains: int = 10,
    burn_in: int = 100,
    step_size: float | int = 0.1,
    observed: dict[str, Any] | None = None,
    num_adaptation_steps: int | None = None,
    xla: bool = False,
    use_auto_batching: bool = True,
    seed: int | None = None,
) -> Draws:
    """Return draws by the no-U-turn sampler, all chains side by side.

    The model is sampled as it is written; the step size starts from `step_size` and is learned in
    the `burn_in` draws, which are not kept.
    """
    built = model.observing(observed or {})
    method = NUTS(
        draws=num_samples,
        warmup=num_adaptation_steps or burn_in,
        chains=num_chains,
        thin=1,
        step_size=step_size,
        target_acceptance=0.8,
    )
    number = int(jax.random.randint(tf.RANDOMNESS.key(seed), (), 0, 2**31 - 1))
    run = fit(built, method, seed=number, plan=built.plan().as_written(), progress=False)
    space = Space.of(built)
    trace = {v.name: _draws_first(run[v.name]) for v in space.density.kept}
    with jax.enable_x64(True):
        for own, name in space.names.items():
            trace[name] = _transformed(space, own, trace)
    stats = run.tree["sample_stats"].dataset
    return Draws(trace, {str(k): _draws_first(stats[k]) for k in stats}, run)


def _transformed(space: Space, own: str, trace: dict[str, np.ndarray]) -> np.ndarray:
    values = {n: trace[n] for n in space.density.layout.names}

    def one(values: dict[str, Any]) -> Any:
        return invert(space.density.model.run, values)[own]

    return np.asarray(jax.vmap(jax.vmap(one))(values))


def _draws_first(draws: Any) -> np.ndarray:
    return np.swapaxes(np.asarray(draws), 0, 1)


def trace_to_arviz(
    trace: Any = None,
    sample_stats: dict[str, Any] | None = None,
    observed_data: dict[str, Any] | None = None,
    prior_predictive: dict[str, Any] | None = None,
    posterior_predictive: dict[str, Any] | None = None,
) -> xr.DataTree:
    """Return draws of shape (draw, chain, ...) as ArviZ takes them, chains first.

    A tree keeps the slash for its groups: `model/theta` is `model.theta` there.
    """
    import arviz_base

    if isinstance(trace, Draws):
        trace, sample_stats = trace.trace, sample_stats or trace.sample_stats
    groups: dict[str, Any] = {}
    if trace is not None:
        groups["posterior"] = {k: _draws_first(v) for k, v in trace.items()}
    if sample_stats is not None:
        groups["sample_stats"] = {k: _draws_first(v) for k, v in sample_stats.items()}
    if posterior_predictive is not None:
        groups["posterior_predictive"] = {
            k: _draws_first(v) for k, v in posterior_predictive.items()
        }
    if prior_predictive is not None:
        groups["prior_predictive"] = {k: np.asarray(v)[None] for k, v in prior_predictive.items()}
    if observed_data is not None:
        groups["observed_data"] = {k: np.asarray(v) for k, v in observed_data.items()}
    named = {g: {dotted(k): v for k, v in values.items()} for g, values in groups.items()}
    return arviz_base.from_dict(named)


def sample_prior_predictive(
    model: Model,
    sample_shape: int | tuple[int, ...] = 1000,
    var_names: Sequence[str] | None = None,
    seed: int | None = None,
) -> dict[str, np.ndarray]:
    """Return draws of every variable, observed ones too, from the prior, by full name."""
    free = _unobserved(model)
    shape = tuple(np.atleast_1d(sample_shape).astype(int).tolist())
    keys = jax.random.split(tf.RANDOMNESS.key(seed), shape)

    def one(key: Any) -> dict[str, Any]:
        with handlers.trace() as sites, handlers.seed(key):
            free.run()
        return {n: s.value for n, s in sites.items() if s.kind != "factor"}

    with jax.enable_x64(True):
        draw = one
        for _ in shape:
            draw = jax.vmap(draw)
        found = compiled(ONCE)(draw)(keys)
    return _chosen(found, var_names)


def sample_posterior_predictive(
    model: Model,
    trace: Any,
    var_names: Sequence[str] | None = None,
    seed: int | None = None,
) -> dict[str, np.ndarray]:
    """Return draws of the observed variables given each draw of a trace, (draw, chain, ...)."""
    draws = trace.trace if isinstance(trace, Draws) else trace
    shapes = {v.name: v.shape for v in model.finetti.variables if v.kind == "observed"}
    observed, free = list(shapes), model.observing(dict.fromkeys(shapes), shapes)
    latent = [v.name for v in free.variables if v.kind == "latent" and v.name not in observed]
    given = {name: np.asarray(draws[name]) for name in latent}
    lead = next(iter(given.values())).shape[:2]
    keys = jax.random.split(tf.RANDOMNESS.key(seed), lead)

    def one(key: Any, values: dict[str, Any]) -> dict[str, Any]:
        with handlers.trace() as sites, handlers.seed(key):
            free.substitute(**values).run()
        kept = [n for n, s in sites.items() if n in observed or s.kind == "deterministic"]
        return {n: sites[n].value for n in kept}

    with jax.enable_x64(True):
        found = compiled(ONCE)(jax.vmap(jax.vmap(one)))(keys, given)
    return _chosen(found, var_names or observed)


def _unobserved(model: Model) -> Any:
    names = [v.name for v in model.finetti.variables if v.kind == "observed"]
    return model.observing(dict.fromkeys(names))


def _chosen(found: dict[str, Any], names: Sequence[str] | None) -> dict[str, np.ndarray]:
    return {n: np.asarray(v) for n, v in found.items() if names is None or n in names}
