"""Be finetti and its peers, each with float64 and its progress bar off."""

from __future__ import annotations

import numpy as np

from benchmarks.entry import CHAINS, DRAWS, WARMUP, Entry, Run
from benchmarks.problem import Problem

SIZES = {"draws": DRAWS, "tune": WARMUP, "chains": CHAINS}  # as PyMC and nutpie have them
Options = dict[str, int]


class Finetti(Entry):
    """Fit as a user does; or by trajectories, without the rewrites, or compiled with options."""

    packages = ("finetti", "numpyro", "jax", "jaxlib")
    keeps = (("FINETTI_CACHE", "{}"),)

    def __init__(
        self,
        name: str,
        rewrites: bool = True,
        options: Options | None = None,
        trajectories: bool = False,
    ) -> None:
        self.name, self.rewrites, self.options = name, rewrites, options
        self.trajectories = trajectories

    def prepare(self, problem: Problem) -> None:
        import finetti

        if self.options is not None:
            _compile_with(self.options)
        self.library, self.model = finetti, problem.finetti()
        self.plan = self.model.plan() if self.rewrites else self.model.plan().as_written()

    def sample(self, seed: int) -> None:
        chosen = self.library.NUTS if self.trajectories else self.library.Automatic
        settings = {"warmup": WARMUP} if self.trajectories else {}
        method = chosen(draws=DRAWS, chains=CHAINS, **settings)
        self.posterior = self.library.fit(
            self.model, method, seed=seed, plan=self.plan, progress=False
        )

    def read(self, names: tuple[str, ...]) -> Run:
        stats = self.posterior.tree["sample_stats"]
        draws = {name: self.posterior[name].to_numpy() for name in names or self._all}
        diverged = int(stats["diverging"].sum()) if "diverging" in stats else 0
        return Run(draws, int(stats["n_steps"].sum()), diverged)

    def summarize(self, names: tuple[str, ...]) -> None:
        print(self.posterior.summary(list(names) or None).to_string())

    @property
    def _all(self) -> list[str]:
        return list(self.posterior.tree["posterior"].data_vars)


def _compile_with(options: Options) -> None:
    """Let finetti compile all its programs with XLA's options given, in place of its own."""
    from finetti import compiling

    compiling.EFFORT.update({effort: dict(options) for effort in compiling.EFFORT})


class NumPyro(Entry):
    """Run NumPyro's NUTS by one of its ways to make many chains."""

    packages = ("numpyro", "jax", "jaxlib")
    keeps = (
        ("JAX_COMPILATION_CACHE_DIR", "{}"),
        ("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "0"),
    )

    def __init__(self, chains: str) -> None:
        self.chains = chains
        self.name = f"numpyro, {chains}"

    def prepare(self, problem: Problem) -> None:
        import numpyro
        from numpyro.infer import MCMC, NUTS

        numpyro.enable_x64()
        if self.chains == "parallel":
            numpyro.set_host_device_count(CHAINS)
        self.sampler = MCMC(
            NUTS(problem.numpyro()),
            num_warmup=WARMUP,
            num_samples=DRAWS,
            num_chains=CHAINS,
            chain_method=self.chains,
            progress_bar=False,
        )

    def sample(self, seed: int) -> None:
        import jax

        self.sampler.run(jax.random.key(seed), extra_fields=("num_steps", "diverging"))
        jax.block_until_ready(self.sampler.get_samples())

    def read(self, names: tuple[str, ...]) -> Run:
        stats, draws = self.sampler.get_extra_fields(), self.sampler.get_samples(True)
        return Run(
            {name: np.asarray(draws[name]) for name in names},
            int(stats["num_steps"].sum()),
            int(stats["diverging"].sum()),
        )

    def summarize(self, names: tuple[str, ...]) -> None:
        from numpyro.diagnostics import print_summary

        draws = self.sampler.get_samples(group_by_chain=True)
        print_summary({name: draws[name] for name in names})


class FromPyMC(Entry):
    """Sample a PyMC model into a trace in ArviZ's schema."""

    keeps = (("PYTENSOR_FLAGS", "base_compiledir={}"), ("NUMBA_CACHE_DIR", "{}"))

    def read(self, names: tuple[str, ...]) -> Run:
        stats = self.trace.sample_stats
        names = names or tuple(self.trace.posterior.data_vars)
        draws = {name: self.trace.posterior[name].to_numpy() for name in names}
        return Run(draws, int(stats["n_steps"].sum()), int(stats["diverging"].sum()))

    def summarize(self, names: tuple[str, ...]) -> None:
        import arviz

        print(arviz.summary(self.trace, var_names=list(names) or None).to_string())


class Nutpie(FromPyMC):
    """Run nutpie on a PyMC model compiled by numba, its default; `tune` None is its own length."""

    packages = ("nutpie", "pymc", "pytensor", "numba", "arviz")

    def __init__(
        self, name: str = "nutpie", tune: int | None = WARMUP, besides: tuple[str, ...] = ()
    ) -> None:
        self.name, self.sizes = name, {**SIZES, "tune": tune}
        self.packages = (*self.packages, *besides)

    def prepare(self, problem: Problem) -> None:
        import nutpie

        self.library = nutpie
        self.compiled = nutpie.compile_pymc_model(problem.pymc())

    def sample(self, seed: int) -> None:
        self.trace = self.library.sample(self.compiled, seed=seed, progress_bar=False, **self.sizes)


class PyMC(FromPyMC):
    """Run PyMC's own NUTS, which compiles in every call of `sample`."""

    name = "pymc"
    packages = ("pymc", "pytensor", "arviz")

    def prepare(self, problem: Problem) -> None:
        self.model = problem.pymc()

    def sample(self, seed: int) -> None:
        import pymc

        self.trace = pymc.sample(
            model=self.model, random_seed=seed, quiet=True, progressbar=False, **SIZES
        )


FINETTI = Finetti("finetti")
FINETTI_NUTS = Finetti("finetti, NUTS", trajectories=True)
AS_WRITTEN = Finetti("finetti, as written", rewrites=False)
NUMPYRO = tuple(NumPyro(chains) for chains in ("vectorized", "parallel", "sequential"))
NUTPIE, PYMC = Nutpie(), PyMC()
BAMBI = Nutpie("Bambi and nutpie", tune=None, besides=("bambi",))
