"""Run the examples of the public docstrings, and check what every module says of itself."""

import doctest
import importlib
import inspect
import pkgutil
from functools import cache
from pathlib import Path

import jax.numpy as jnp
import numpy as np
import pytest

import finetti as ft
from finetti import factors, vision
from finetti.distributions import NAMES, OWN
from finetti.reporting import plots
from zoo.eight_schools import as_met

MODULES = sorted(
    m.name
    for m in pkgutil.walk_packages(ft.__path__, "finetti.")
    if m.name not in ("finetti.cli", "finetti.__main__")
)


@ft.model
def coin(n):
    p = ft.sample("p", ft.Uniform(0, 1))
    ft.sample("heads", ft.Binomial(n, p))


def public():
    """Yield every public name with its object; numpyro's distributions are documented there."""
    for module in (ft, factors, vision, plots):
        for name in module.__all__:
            if module is not ft or name not in set(NAMES) - set(OWN):
                yield f"{module.__name__}.{name}", getattr(module, name)


def test_every_public_name_has_an_example():
    found = {name: inspect.getdoc(thing) or "" for name, thing in public()}
    assert len(found) > 100
    bare = [name for name, said in found.items() if ">>>" not in said]
    assert bare == ["finetti.constraints"]  # numpyro's module


@cache
def fitted():
    """Return what examples call `posterior`: the eight schools'."""
    return ft.fit(as_met(), ft.Automatic(draws=250), seed=1, progress=False)


@pytest.mark.parametrize("name", MODULES)
def test_examples_run(name):
    module = importlib.import_module(name)
    own = vars(module)
    names = {**vars(ft), "Path": Path, "np": np, **own, "ft": ft, "jnp": jnp, "coin": coin}
    flags = doctest.NORMALIZE_WHITESPACE | doctest.ELLIPSIS
    finder = doctest.DocTestFinder(exclude_empty=True)
    runner = doctest.DocTestRunner(optionflags=flags)
    for example in finder.find(module, name, globs=names):
        if "posterior" in example.docstring and "posterior = " not in example.docstring:
            example.globs["posterior"] = fitted()
        runner.run(example)
    assert runner.failures == 0
