"""Check fits of several threads and processes, and that large and deep models go through."""

from __future__ import annotations

import gc
import multiprocessing
import re
import sys
import threading
import weakref
from dataclasses import dataclass
from pathlib import Path

import jax.numpy as jnp
import numpy as np
import pytest

import finetti as ft
from finetti import compiling
from finetti.errors import SamplingError

FEW = ft.NUTS(draws=10, warmup=10, chains=2)


def line(slope: float) -> ft.Model:
    """Return a small model with data of its own."""

    @ft.model
    def straight(x):
        b = ft.sample("b", ft.StudentT(3, 0, 1))
        with ft.plate("row", len(x)):
            ft.sample("y", ft.StudentT(4, b * x, 1))

    x = np.linspace(-1, 1, 20)
    return straight(x).condition(y=slope * x)


def fitted(slope: float) -> np.ndarray:
    """Return the draws of a small fit."""
    return ft.fit(line(slope), FEW, seed=1, progress=False)["b"].to_numpy()


def process() -> tuple[int, int]:
    """Return this process's resident memory in kB, and how many regions it has mapped."""
    gc.collect()
    (kilobytes,) = re.findall(r"VmRSS:\s+(\d+) kB", Path("/proc/self/status").read_text())
    return int(kilobytes), Path("/proc/self/maps").read_bytes().count(b"\n")


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/maps").exists(), reason="read off Linux's /proc")
def test_a_hundred_refits_leave_nothing_behind():
    found = []
    for i in range(100):
        fitted(1 + i / 100)
        if i in (10, 99):
            found.append(process())
    (early, regions), (late, more) = found
    assert late - early < 20_000
    assert more - regions < 20


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/maps").exists(), reason="read off Linux's /proc")
def test_thirty_models_take_the_room_of_the_last_few(monkeypatch):
    monkeypatch.setattr(compiling.IN_MEMORY, "most", 30)

    def fit(degree: int) -> None:
        @ft.model
        def curve(x):
            b = ft.sample("b", ft.StudentT(3, 0, 1).expand([2]))
            with ft.plate("row", len(x)):
                ft.sample("y", ft.StudentT(4, b[0] + b[1] ** degree * x, 1))

        x = np.linspace(-1, 1, 20)
        ft.fit(curve(x).condition(y=x), FEW, progress=False)

    found = []
    for degree in range(1, 31):
        fit(degree)
        found.append(process())
    (early, regions), (late, more) = found[9], found[29]
    assert late - early < 250_000  # 20 models held for good take ten times as much
    assert more - regions < 1_000


def test_programs_that_were_not_used_of_late_are_forgotten(monkeypatch):
    monkeypatch.setattr(compiling.IN_MEMORY, "most", 2)

    @dataclass(frozen=True)
    class Power:
        number: int

    @compiling.compiled(compiling.ONCE, "power")
    def raised(power: Power, x: float) -> float:
        return x**power.number

    settings = [Power(2), Power(3), Power(4)]
    gone = [weakref.ref(power) for power in settings]
    assert [float(raised(power, 2.0)) for power in settings] == [4.0, 8.0, 16.0]
    assert len(compiling.IN_MEMORY.order) == 2
    del settings
    gc.collect()
    assert gone[0]() is None
    assert gone[1]() is not None
    assert float(raised(Power(2), 3.0)) == 9.0


def test_fits_of_several_threads_are_those_of_one():
    alone = [fitted(slope) for slope in (1.0, 2.0, 3.0)]
    found: dict[int, np.ndarray] = {}

    def run(i: int) -> None:
        found[i] = fitted(i + 1.0)

    threads = [threading.Thread(target=run, args=(i,)) for i in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for i, draws in enumerate(alone):
        np.testing.assert_array_equal(found[i], draws)


@pytest.mark.slow
def test_another_process_draws_the_same():
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        np.testing.assert_array_equal(pool.apply(fitted, (2.0,)), fitted(2.0))


@pytest.mark.skipif(sys.platform != "linux", reason="other systems do not fork")
@pytest.mark.filterwarnings("ignore:os.fork")
def test_a_process_that_is_forked_too_late_says_so():
    """It would hang: JAX's threads are not in it."""
    fitted(1.0)
    with (
        multiprocessing.get_context("fork").Pool(1) as pool,
        pytest.raises(SamplingError, match="forked from one in which finetti had computed"),
    ):
        pool.apply_async(fitted, (1.0,)).get(timeout=60)


def test_plates_four_deep_are_each_a_dimension():
    shape = (2, 3, 2, 2)

    @ft.model
    def deep():
        tau = ft.sample("tau", ft.HalfNormal(1))
        with ft.plate("a", 2), ft.plate("b", 3):
            outer = ft.sample("outer", ft.Normal(0, 1))
            with ft.plate("c", ["u", "v"]), ft.plate("d", 2):
                inner = ft.sample("inner", ft.StudentT(5, outer[:, :, None, None], tau))
        ft.sample("y", ft.Normal(inner.sum(), 1), obs=0.3)

    found = ft.fit(deep(), FEW, seed=1, progress=False)
    assert found["inner"].shape[2:] == shape
    assert found["inner"].dims[2:] == ("a", "b", "c", "d")
    assert "inner[1, 2, v, 0]" in found.summary().index


@pytest.mark.slow
def test_a_model_of_five_thousand_sites_is_understood():
    @ft.model
    def long():
        total = 0.0
        for i in range(5_000):
            total = total + ft.sample(f"s{i}", ft.Normal(0, 1))
        ft.sample("y", ft.Normal(total, 1), obs=1.0)

    drawn = ft.prior(long(), draws=3)
    assert len(drawn["prior"].data_vars) == 5_000
    assert len(long().variables) == 5_001


@pytest.mark.slow
def test_a_million_labels_are_carried():
    codes = np.arange(1_000_000)

    @ft.model
    def wide(group):
        mu = ft.sample("mu", ft.Normal(0, 1))
        with ft.plate("group", group):
            ft.sample("y", ft.Normal(mu, 1))

    labelled = ft.groups([f"g{i}" for i in codes])
    model = wide(labelled).condition(y=jnp.zeros(len(codes)))
    found = ft.fit(model, FEW, seed=1, progress=False)
    assert len(found.summary()) == 1
    assert abs(found["mu"].mean().item()) < 0.01
