"""Check that importing and using finetti changes nothing that is not its own."""

import json
import pkgutil
import subprocess
import sys

import jax
import numpy as np
import pytest

import finetti as ft

PROBE = """
import json, logging, sys, warnings

filters = len(warnings.filters)
import numpyro
filters_before = list(map(str, warnings.filters))
import jax
config = {k: repr(v) for k, v in jax.config.values.items()}
levels = {n: logging.getLogger(n).level for n in ("", "jax", "numpyro", "finetti")}
handlers = {n: len(logging.getLogger(n).handlers) for n in ("", "jax", "numpyro", "finetti")}
MIDDLE
now = {k: repr(v) for k, v in jax.config.values.items()}
print(json.dumps({
    "config": {k: [config.get(k), v] for k, v in now.items() if config.get(k) != v},
    "filters": [f for f in map(str, warnings.filters) if f not in filters_before],
    "levels": [n for n, level in levels.items() if logging.getLogger(n).level != level],
    "handlers": [n for n, k in handlers.items() if len(logging.getLogger(n).handlers) != k],
    "modules": sorted({m.partition(".")[0] for m in sys.modules}),
    "backends": bool(__import__("jax")._src.xla_bridge._backends),
}))
"""
HEAVY = {"matplotlib", "pandas", "arviz_plots", "arviz_stats", "rich"}


def probe(statement):
    """Run a fresh process that imports numpyro, then `statement`; return what it changed."""
    code = PROBE.replace("MIDDLE", statement)
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    return json.loads(done.stdout)


@pytest.fixture(scope="module")
def imported():
    return probe("import finetti")


@pytest.mark.parametrize("state", ["config", "filters", "levels", "handlers"])
def test_importing_finetti_changes_no_global_state(imported, state):
    assert not imported[state]


def test_importing_finetti_starts_no_backend(imported):
    assert not imported["backends"]


def test_importing_finetti_brings_in_nothing_heavy(imported):
    assert "finetti" in imported["modules"]
    assert HEAVY.isdisjoint(imported["modules"])


def test_the_probe_itself_sees_changes():
    changed = probe(
        "jax.config.update('jax_enable_x64', True); warnings.simplefilter('ignore'); "
        "logging.getLogger('jax').setLevel(10); import rich"
    )
    assert list(changed["config"]) == ["jax_enable_x64"]
    assert changed["filters"]
    assert changed["levels"] == ["jax"]
    assert "rich" in changed["modules"]


@pytest.mark.parametrize("x64", [False, True])
def test_float64_is_scoped_to_the_fit(x64):
    @ft.model
    def normal():
        ft.sample("x", ft.Normal(0, 1))

    with jax.enable_x64(x64):
        posterior = ft.fit(normal(), ft.NUTS(draws=10, warmup=10, chains=2), progress=False)
        assert jax.config.jax_enable_x64 == x64
    assert posterior["x"].dtype == np.float64
    assert not jax.config.jax_enable_x64


def test_float64_is_scoped_even_when_the_fit_fails():
    @ft.model
    def broken():
        ft.sample("x", ft.Normal(0, -1))

    with pytest.raises(ft.SupportError):
        ft.fit(broken(), progress=False)
    assert not jax.config.jax_enable_x64


def test_no_public_name_hides_a_room_of_the_house():
    """A function named like a package takes its place: `import finetti.fit.run as run` failed."""
    rooms = {module.name for module in pkgutil.iter_modules(ft.__path__)}
    assert rooms.isdisjoint(ft.__all__)
