"""Name every way finetti refuses, each with what, where and what to do.

FinettiError
├── ModelError            the model as written cannot be understood
│   ├── DuplicateSite     two sites share a name
│   ├── UnknownSite       a name that no site has
│   ├── ShapeError        a site does not fit its plates
│   ├── OutsidePlate      a code of a member that its plate does not have
│   ├── SupportError      a value or an argument outside its support
│   ├── MissingValue      NaN in observed data, an argument that lacks values
│   ├── Contradiction     a factor graph that rules out every joint state
│   └── TooWide           an exact sum that needs more memory than allowed
├── SeedError             a draw is needed and no seed is in force
├── DataError             a table that cannot be read, or lacks a column
├── SamplingError         the sampler cannot start or go on
├── ClusterError          a cluster that cannot be reached, or would give other results
└── MissingExtra          an optional dependency is not installed
"""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches
from numbers import Integral


class FinettiError(Exception):
    """Be the root of every error finetti raises on purpose.

    >>> issubclass(ModelError, FinettiError) and issubclass(SeedError, FinettiError)
    True
    """


class ModelError(FinettiError, ValueError):
    """Say that the model as written cannot be understood.

    `members` is what a plate was opened with, where it names one twice.

    >>> fit("schools.py")
    Traceback (most recent call last):
    ...
    finetti.errors.ModelError: ...
    """

    members: object = None


class DuplicateSite(ModelError):
    """Say that two sites share a name.

    >>> with trace(), seed(0):
    ...     _ = sample("mu", Normal(0, 1)), sample("mu", Normal(0, 1))
    Traceback (most recent call last):
    ...
    finetti.errors.DuplicateSite: ...
    """


class UnknownSite(ModelError, KeyError):
    """Say that no site has the name given.

    >>> posterior["thata"]
    Traceback (most recent call last):
    ...
    finetti.errors.UnknownSite: cannot read `thata`: no such site; did you mean `theta`? ...
    """

    __str__ = Exception.__str__

    @classmethod
    def among(cls, name: str, known: Iterable[str], verb: str, what: str = "site") -> UnknownSite:
        """Build the error for `name`, suggesting the nearest of `known`, each a `what`."""
        known = list(known)
        listed = ", ".join(f"`{k}`" for k in known) or "none"
        return cls(f"cannot {verb} `{name}`: no such {what}{hint(name, known)} ({what}s: {listed})")


class ShapeError(ModelError):
    """Say that a site does not fit the plates it stands in.

    >>> with plate("school", 8):
    ...     sample("y", Normal(0, 1), obs=[1.0, 2.0])
    Traceback (most recent call last):
    ...
    finetti.errors.ShapeError: site `y` ...
    """


class OutsidePlate(ModelError, IndexError):
    """Say that a code stands for a member that its plate does not have.

    >>> groups(["A", "B"]).labels[5]
    Traceback (most recent call last):
    ...
    IndexError: ...
    """


class SupportError(ModelError):
    """Say that a value or a distribution's argument lies outside its support.

    >>> sample("x", HalfNormal(1), obs=-1.0)
    Traceback (most recent call last):
    ...
    finetti.errors.SupportError: ...
    """


class MissingValue(ModelError):
    """Say that observed data hold NaN, or that an argument lacks values.

    >>> sample("y", Normal(0, 1), obs=float("nan"))
    Traceback (most recent call last):
    ...
    finetti.errors.MissingValue: ...
    """


class Contradiction(ModelError):
    """Say that a factor graph and its evidence rule out every joint state.

    >>> from finetti import factors as fg
    >>> x = fg.Variables("x", {"i": 1})
    >>> fg.Exact().run(fg.Graph(fg.Table(x, log_potentials=[-jnp.inf, -jnp.inf])))
    Traceback (most recent call last):
    ...
    finetti.errors.Contradiction: ...
    """


class TooWide(ModelError):
    """Say that an exact sum over joint states needs more memory than allowed.

    >>> from finetti import factors as fg
    >>> x = fg.Variables("x", {"i": 9})
    >>> every = fg.Table(*(x[i : i + 1] for i in range(9)), log_potentials=jnp.zeros((2,) * 9))
    >>> fg.Exact(memory=100).run(fg.Graph(every))
    Traceback (most recent call last):
    ...
    finetti.errors.TooWide: ...
    """


class SeedError(FinettiError, RuntimeError):
    """Say that a draw is needed and no seed is in force.

    >>> sample("mu", Normal(0, 5))
    Traceback (most recent call last):
    ...
    finetti.errors.SeedError: site `mu` needs a value and no seed is in force: ...
    """


class DataError(FinettiError, ValueError):
    """Say that a table cannot be read or lacks a column.

    >>> open("nowhere.zarr")
    Traceback (most recent call last):
    ...
    finetti.errors.DataError: ...
    """


class SamplingError(FinettiError, RuntimeError):
    """Say that the sampler cannot start or go on.

    >>> from finetti import model
    >>> @model
    ... def settled():
    ...     sample("y", Normal(0, 1), obs=1.0)
    >>> fit(settled(), progress=False)
    Traceback (most recent call last):
    ...
    finetti.errors.SamplingError: model `settled` has no latent variable to infer
    """


class ClusterError(FinettiError, RuntimeError):
    """Say that a cluster cannot be reached, loses what it has, or would give other results.

    >>> fit(coin(10).condition(heads=7), on="tcp://127.0.0.1:1")  # doctest: +SKIP
    Traceback (most recent call last):
    ...
    finetti.errors.ClusterError: ...
    """


class MissingExtra(FinettiError, ImportError):
    """Say that an optional dependency is not installed.

    >>> print(MissingExtra.needed("matplotlib", "plots", "drawing"))
    drawing needs matplotlib: pip install 'finetti[plots]'
    """

    @classmethod
    def needed(cls, package: str, extra: str, purpose: str) -> MissingExtra:
        """Build the error that names the package and the extra that brings it."""
        return cls(f"{purpose} needs {package}: pip install 'finetti[{extra}]'")


def hint(name: str, known: Iterable[str]) -> str:
    """Return what a refusal of a name adds: the nearest one that is known, or nothing.

    >>> hint("Dyas", ["Days", "Subject"]), hint("Dyas", [])
    ('; did you mean `Days`?', '')
    """
    near = get_close_matches(name, list(known), n=1)
    return f"; did you mean `{near[0]}`?" if near else ""


def refuse_no_draws(draws: object) -> None:
    """Refuse what is no number of draws: a whole one, and at least 1."""
    if not isinstance(draws, Integral) or draws < 1:
        raise SamplingError(f"draws must be a whole number of at least 1, not {draws!r:.80}")


def refuse_others(name: str, given: object, ways: tuple[str, ...]) -> None:
    """Refuse what is none of the ways there are: None and False are not said to be one."""
    if not isinstance(given, str) or given not in ways:
        listing = ", ".join(map(repr, ways))
        raise ValueError(f"{name}={given!r} is none of {listing}")
