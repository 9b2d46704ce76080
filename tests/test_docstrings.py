"""Run the examples of the public docstrings, and check what every module says of itself."""

import doctest
import importlib
import pkgutil

import jax.numpy as jnp
import pytest

import finetti as ft

MODULES = sorted(
    m.name
    for m in pkgutil.walk_packages(ft.__path__, "finetti.")
    if m.name not in ("finetti.cli", "finetti.__main__")
)


@ft.model
def coin(n):
    p = ft.sample("p", ft.Uniform(0, 1))
    ft.sample("heads", ft.Binomial(n, p))


@pytest.mark.parametrize("name", MODULES)
def test_examples_run(name):
    module = importlib.import_module(name)
    names = {**vars(ft), **vars(module), "ft": ft, "jnp": jnp, "coin": coin}
    flags = doctest.NORMALIZE_WHITESPACE | doctest.ELLIPSIS
    finder = doctest.DocTestFinder(exclude_empty=True)
    runner = doctest.DocTestRunner(optionflags=flags)
    for example in finder.find(module, name, globs=names):
        runner.run(example)
    assert runner.failures == 0
