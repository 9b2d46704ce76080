"""Sample PyMC4 models, draw their prior and posterior predictions, and hand them to ArviZ."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

import jax
import numpy as np
from numpy.typing import ArrayLike

from finetti.dialects import tf
from finetti.dialects.pymc4 import configured
from finetti.dialects.pymc4.coroutines import Model
from finetti.dialects.pymc4.evaluating import on_scale
from finetti.dialects.pymc4.samplers import Steps, blocks
from finetti.inference.fit import fit
from finetti.inference.methods.blocks import Block, Compound
from finetti.inference.methods.method import Method
from finetti.inference.methods.trajectories import HMC, NUTS
from finetti.inference.methods.walks import Metropolis
from finetti.posterior.labels import dotted
from finetti.posterior.posterior import Posterior
from finetti.structure.variables import Variable

if TYPE_CHECKING:
    import xarray as xr


SETTINGS = {"include_log_likelihood", "nchains", "trace_discrete", "use_auto_batching"}
WITHOUT_DISCRETE = ("nuts", "nuts_simple", "hmc", "hmc_simple")
SAMPLERS = (*WITHOUT_DISCRETE, "rwm", "compound")


class Draws(NamedTuple):
    """Hold draws and statistics by name, shapes (draw, chain, ...): the pair that `sample` gave.

    In the release after, `sample` returned ArviZ's InferenceData: `posterior`, `sample_stats`,
    `observed_data` are its groups, and `tree` is the whole.
    """

    trace: dict[str, np.ndarray]
    sample_stats: dict[str, np.ndarray]
    run: Posterior

    def __iter__(self) -> Iterator[dict[str, np.ndarray]]:
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


def sample(
    model: configured.Model | Model, *args: Any, **kwargs: Any
) -> dict[str, np.ndarray] | Draws:
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
    step_size: ArrayLike = 0.1,
    observed: Mapping[str, ArrayLike | None] | None = None,
    num_adaptation_steps: int | None = None,
    xla: bool = False,
    use_auto_batching: bool = True,
    seed: int | None = None,
    sampler_type: str | None = None,
    num_leapfrog_steps: int = 10,
    sampler_methods: Steps | None = None,
    **settings: object,
) -> Draws:
    """Return draws by the no-U-turn sampler, or by another, all chains side by side.

    The model is sampled as it is written; the step size starts from `step_size` and is learned in
    the `burn_in` draws, which are not kept. Discrete variables jump by Metropolis between the
    trajectories of the others. A list of step sizes counts as their mean. `sampler_type` is nuts,
    hmc, rwm (random-walk Metropolis) or compound. `sampler_methods` gives variables samplers of
    their own: (name, sampler) or (name, sampler, its settings), as of `mcmc.samplers`. Other
    settings of PyMC4's samplers (`trace_discrete`, ...) change nothing here.
    """
    if unknown := settings.keys() - SETTINGS:
        raise TypeError(f"sample takes no {', '.join(sorted(unknown))}")
    built = model.observing(observed or {})
    step = float(np.mean([np.mean(np.asarray(s)) for s in jax.tree.leaves(step_size)]))
    shared: dict[str, Any] = {
        "draws": num_samples,
        "warmup": num_adaptation_steps or burn_in,
        "chains": num_chains,
        "thin": 1,
    }
    free = [v for v in built.variables if v.kind == "latent"]
    own = blocks(sampler_methods or (), free)
    method = _method(free, shared, sampler_type, step, num_leapfrog_steps, own)
    number = int(jax.random.randint(tf.RANDOMNESS.key(seed), (), 0, 2**31 - 1))
    run = fit(built, method, seed=number, plan=built.plan().as_written(), progress=False)
    kept = [v.name for v in built.variables if v.kind in ("latent", "deterministic")]
    trace = {name: _draws_first(run[name]) for name in kept}
    trace |= on_scale(model, observed or {}, {v.name: trace[v.name] for v in free})
    stats = run.tree["sample_stats"].dataset
    return Draws(trace, {str(k): _draws_first(stats[k]) for k in stats}, run)


def _method(
    free: list[Variable], shared: dict[str, Any], kind: str | None, step: float, leapfrogs: int,
    own: tuple[Block, ...],
) -> Method:  # fmt: skip
    """Return the method of a sampler's name; without one that which suits the variables.

    `own` are the blocks of variables with samplers of their own.
    """
    if kind is not None and kind not in SAMPLERS:
        raise ValueError(f"sampler_type is one of {', '.join(SAMPLERS)}, not {kind!r}")
    if own and kind not in (None, "compound"):
        raise ValueError(f"sampler_methods are steps of 'compound', and not of {kind!r}")
    moved = {name for block in own for name in block.sites}
    free = [v for v in free if v.name not in moved]
    discrete = [v.name for v in free if v.discrete]
    if kind in WITHOUT_DISCRETE and discrete:
        raise ValueError(
            f"sampler_type={kind!r} cannot move {', '.join(discrete)}, which has whole numbers: "
            f"leave it out, or say 'compound'"
        )
    rest = tuple(v.name for v in free if not v.discrete)
    walks = kind == "rwm"
    if own or discrete:
        others = (Block(rest, Metropolis() if walks else HMC()),) if rest else ()
        return Compound(blocks=(*own, *others), **shared)
    if walks:
        return Metropolis(**shared)
    if kind in ("hmc", "hmc_simple"):
        return HMC(**shared, leapfrogs=leapfrogs)
    return NUTS(**shared, step_size=step, target_acceptance=0.8)


def _draws_first(draws: ArrayLike) -> np.ndarray:
    return np.swapaxes(np.asarray(draws), 0, 1)


def trace_to_arviz(
    trace: Draws | Mapping[str, ArrayLike] | None = None,
    sample_stats: Mapping[str, ArrayLike] | None = None,
    observed_data: Mapping[str, ArrayLike] | None = None,
    prior_predictive: Mapping[str, ArrayLike] | None = None,
    posterior_predictive: Mapping[str, ArrayLike] | None = None,
) -> xr.DataTree:
    """Return draws of shape (draw, chain, ...) as ArviZ takes them, chains first.

    A tree keeps the slash for its groups: `model/theta` is `model.theta` there.
    """
    import arviz_base

    if isinstance(trace, Draws):
        trace, sample_stats = trace.trace, sample_stats or trace.sample_stats
    groups: dict[str, dict[str, np.ndarray]] = {}
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
