"""Find the maximum a posteriori of a PyMC2 Model, and approximate its posterior by a normal."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from numpy.typing import ArrayLike

from finetti.dialects.pymc2.build import latent, site_of
from finetti.dialects.pymc2.failures import explained
from finetti.dialects.pymc2.model import Model
from finetti.dialects.pymc2.nodes import Stochastic, Variable
from finetti.dialects.pymc2.traces import Database, Trace
from finetti.errors import ModelError

IMPOSSIBLE = 1e300  # what the optimisers are told where the density is zero


class MAP(Model):
    """Find the most probable values of a model's stochastics, on their own scale.

    After `fit()`: `logp_at_max`, `lnL` (of the observed), `AIC`, `AICc`, `BIC`; the stochastics
    hold the maximum, and `revert_to_max()` brings it back.
    """

    def __init__(self, input: object = None, eps: float | int = 0.001, diff_order: int = 5) -> None:
        """Collect the nodes; derivatives are exact, so that `eps` and `diff_order` do nothing."""
        super().__init__(input)
        self.len = self.density.dim
        self.data_len = sum(np.size(n.value) for n in self.observed_stochastics)
        self.fitted = False

    @property
    def smooth(self) -> bool:
        """Tell whether all is continuous and the density has a gradient."""
        if any(n.dtype.kind != "f" for n in self.stochastics):
            return False
        try:
            with jax.enable_x64(True):
                jax.eval_shape(self._built().functions[1], np.asarray(self.position()))
        except ModelError:
            return False
        return True

    def func(self, position: ArrayLike) -> float:
        """Return minus the log density at a vector of values."""
        with jax.enable_x64(True), explained():
            found = float(self._built().functions[0](np.asarray(position, float)))
        return found if np.isfinite(found) else IMPOSSIBLE

    def gradfunc(self, position: ArrayLike) -> np.ndarray:
        """Return the gradient of `func`."""
        with jax.enable_x64(True):
            return np.asarray(self._built().functions[1](np.asarray(position, float)))

    def hessfunc(self, position: ArrayLike) -> np.ndarray:
        """Return the Hessian of `func`."""
        with jax.enable_x64(True):
            return np.asarray(self._built().functions[2](np.asarray(position, float)))

    def fit(
        self,
        method: str = "fmin_powell",
        iterlim: int = 1000,
        tol: float | int = 0.0001,
        verbose: int = 0,
        no_callback: bool = False,
        callback: Callable[[np.ndarray], object] | None = None,
    ) -> None:
        """Climb to the maximum from the current values, and leave the stochastics there.

        `method` is one of fmin_powell, fmin, fmin_cg, fmin_ncg, fmin_bfgs, fmin_l_bfgs_b, newton.
        Where the density is smooth a few quasi-Newton steps then polish the maximum.
        """
        from scipy import optimize

        if method not in OPTIMIZERS:
            raise ValueError(f"Method unknown: {method!r} is none of {', '.join(OPTIMIZERS)}")
        self.say_what_is_held()
        theirs, order = OPTIMIZERS[method]
        derivatives = {"jac": self.gradfunc} if order else {}
        if order > 1:
            derivatives["hess"] = self.hessfunc
        options: dict[str, int | bool] = {"maxiter": iterlim}
        if verbose > 0:
            options["disp"] = True
        start = self.position()
        found = optimize.minimize(
            self.func, start, method=theirs, tol=tol, callback=callback, options=options,
            **derivatives,
        )  # fmt: skip
        best = found.x
        if self.smooth:
            polished = optimize.minimize(self.func, best, method="BFGS", jac=self.gradfunc)
            best = polished.x if polished.fun <= self.func(best) else best
        self._maximum, self.method = best, method
        self.revert_to_max()
        self._score()

    def _score(self) -> None:
        self.logp_at_max = -self.func(self._maximum)
        if self.logp_at_max <= -IMPOSSIBLE:
            raise RuntimeError("the optimisation converged to a value of zero probability")
        self.lnL = sum(n.logp for n in self.observed_stochastics)
        k, n = self.len, self.data_len
        self.AIC = 2.0 * (k - self.lnL)
        self.AICc = self.AIC + 2 * k * (k + 1) / (n - k - 1) if n != k + 1 else np.inf
        self.BIC = k * np.log(n) - 2.0 * self.lnL if n else -np.inf
        self.fitted = True

    def revert_to_max(self) -> None:
        """Set the stochastics to the maximum."""
        self.place(self._maximum)


OPTIMIZERS = {
    "fmin_powell": ("Powell", 0),
    "fmin": ("Nelder-Mead", 0),
    "fmin_cg": ("CG", 1),
    "fmin_bfgs": ("BFGS", 1),
    "fmin_l_bfgs_b": ("L-BFGS-B", 1),
    "fmin_ncg": ("Newton-CG", 2),
    "newton": ("trust-exact", 2),
}


class Moments:
    """Look up means or covariances by stochastic: `N.mu[x]`, `N.C[x, y]`."""

    def __init__(self, owner: NormApprox, order: int) -> None:
        """Read the first or second moments of an approximation."""
        self.owner, self.order = owner, order

    def __getitem__(self, stochastics: Stochastic | tuple[Stochastic, ...]) -> np.ndarray:
        if not self.owner.fitted:
            raise ValueError("NormApprox object must be fitted before its moments can be accessed")
        chosen = stochastics if isinstance(stochastics, tuple) else (stochastics,)
        places = self.owner.density.layout.places
        rows = [i for node in chosen for i in places[site_of(node)]]
        if self.order == 1:
            return self.owner._maximum[rows]
        return self.owner.covariance[np.ix_(rows, rows)]


class NormApprox(MAP):
    """Approximate the posterior by a normal at its maximum: `mu[x]`, `C[x, y]`, `sample(iter)`."""

    def __init__(self, input: object = None, eps: float | int = 0.001, diff_order: int = 5) -> None:
        """Collect the nodes."""
        super().__init__(input, eps, diff_order)
        self.mu, self.C = Moments(self, 1), Moments(self, 2)
        self.db = Database()

    def fit(self, *args: Any, **kwargs: Any) -> None:
        """Find the maximum and the curvature there."""
        if not self.smooth:
            raise ValueError("NormApprox needs continuous stochastics and a density with a slope")
        super().fit(*args, **kwargs)
        self.covariance = np.linalg.inv(self.hessfunc(self._maximum))

    def sample(self, iter: int, **settings: object) -> None:
        """Draw from the approximation into traces."""
        with jax.enable_x64(True):
            draws = jax.random.multivariate_normal(
                self.key(), self._maximum, jnp.asarray(self.covariance), (iter,)
            )
            values = jax.vmap(self.density.constrain)(draws)
        nodes: list[Variable] = [
            *latent(self.nodes),
            *(n for n in self.deterministics if n.keep_trace),
        ]
        found = {n.__name__: np.asarray(values[site_of(n)]) for n in nodes}
        self.db.append(found)
        for node in nodes:
            node.trace = self.db.trace(node.__name__)
        self.place(draws[-1])

    def trace(self, name: str, chain: int | None = -1) -> Trace:
        """Return the draws of one variable."""
        return self.db.trace(name, chain)


__all__ = ["MAP", "NormApprox", "Stochastic"]
