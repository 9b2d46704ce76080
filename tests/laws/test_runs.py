"""Check what a fit's draws depend on, and that an interrupt keeps them, with every method."""

from dataclasses import replace
from functools import cache

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import finetti as ft
import zoo
from finetti.inference.engine import run
from finetti.inference.progress import Display, Live, Silent

METHODS = {
    "NUTS": ft.NUTS(draws=80, warmup=100, thin=1),
    "Metropolis": ft.Metropolis(draws=80, warmup=100),
    "HMC": ft.HMC(draws=80, warmup=100),
    "adaptive Metropolis": ft.AdaptiveMetropolis(draws=80, warmup=100),
    "compound": ft.Compound(draws=80, warmup=100),
}
DENSE = ft.NUTS(draws=80, warmup=100, metric=ft.Dense())
every_method = pytest.mark.parametrize("method", METHODS.values(), ids=METHODS)


@ft.model
def small(sigma):
    mu = ft.sample("mu", ft.Normal(0, 5))
    tau = ft.sample("tau", ft.HalfNormal(2))
    with ft.plate("unit", len(sigma)):
        eta = ft.sample("eta", ft.Normal(0, 1))
        ft.sample("y", ft.Normal(mu + tau * eta, sigma))


@cache
def observed() -> ft.Model:
    return small(np.array([1.0, 2.0, 1.5])).condition(y=np.array([1.0, -1.0, 3.0]))


def drawn(posterior: ft.Posterior) -> dict[str, np.ndarray]:
    stats = posterior.tree["sample_stats"].dataset
    found = {name: posterior[name].values for name in posterior.names}
    return found | {str(name): stats[name].values for name in stats}


def fit(method, **settings) -> dict[str, np.ndarray]:
    settings = {"seed": 5, "progress": False} | settings
    return drawn(ft.fit(observed(), method, **settings))


def assert_same(one: dict[str, np.ndarray], other: dict[str, np.ndarray]) -> None:
    assert one.keys() == other.keys()
    for name, values in one.items():
        np.testing.assert_array_equal(values, other[name], err_msg=name)


@every_method
def test_the_same_seed_gives_the_same_draws_bit_for_bit(method):
    assert_same(fit(method), fit(method))


@every_method
def test_another_seed_gives_other_draws(method):
    one, other = fit(method)["mu"], fit(method, seed=6)["mu"]
    assert not np.isin(one, other).any()


@every_method
def test_chains_differ(method):
    draws = fit(method)["mu"]
    assert len(set(draws[:, -1])) == len(draws)


CHUNKS = [(1, 1, 0.3), (37, 5, 0.0), (256, 3, 1e9)]


@pytest.mark.parametrize(
    ("method", "chunks"),
    [
        (METHODS["NUTS"], CHUNKS[0]),
        (METHODS["NUTS"], CHUNKS[1]),
        (METHODS["Metropolis"], CHUNKS[1]),
        pytest.param(DENSE, CHUNKS[0], marks=pytest.mark.slow),
        pytest.param(DENSE, CHUNKS[1], marks=pytest.mark.slow),
        pytest.param(METHODS["NUTS"], CHUNKS[2], marks=pytest.mark.slow),
        pytest.param(METHODS["Metropolis"], CHUNKS[0], marks=pytest.mark.slow),
        pytest.param(METHODS["Metropolis"], CHUNKS[2], marks=pytest.mark.slow),
    ],
)
def test_draws_do_not_depend_on_the_chunks(monkeypatch, method, chunks):
    """Other numbers of steps at once make another program, which may round otherwise.

    So those are compared on the model as written, where it does not.
    """
    plain = observed().plan().as_written()
    planned, written = fit(method), fit(method, plan=plain)
    steps, first, seconds = chunks
    monkeypatch.setattr(run, "CHUNK_FIRST", first)
    monkeypatch.setattr(run, "CHUNK_SECONDS", seconds)
    assert_same(planned, fit(method))
    monkeypatch.setattr(run, "CHUNK_STEPS", steps)
    assert_same(written, fit(method, plan=plain))


class Noted(Display):
    """Note what is reported."""

    def __init__(self):
        self.phases, self.completed = [], 0

    def phase(self, name, wanted, chains, every=1):
        self.phases.append((name, wanted, chains))

        def report(chunk):
            if name == "sampling":
                self.completed += int(chunk.done.sum())

        return report


@pytest.mark.parametrize("display", [True, Silent(), Noted()], ids=["live", "silent", "noted"])
def test_draws_do_not_depend_on_the_display(display):
    assert_same(fit(METHODS["NUTS"]), fit(METHODS["NUTS"], progress=display))


def test_a_display_hears_of_every_draw():
    display = Noted()
    fit(METHODS["NUTS"], progress=display)
    assert display.phases == [("warm-up", 100, 4), ("sampling", 80, 4)]
    assert display.completed >= 4 * 80


def test_the_live_display_tells_draws_and_divergences():
    class Bars:
        def add_task(self, name, **fields):
            return name

        def update(self, task, completed, note):
            seen.append((task, completed, note))

    seen: list[tuple[str, int, str]] = []
    fit(METHODS["NUTS"], progress=Live(Bars()))
    task, completed, note = seen[-1]
    assert (task, completed) == ("sampling", 4 * 80)
    assert "divergences" in note
    assert "R-hat" in note


def tuning() -> ft.Learned:
    return ft.Learned(np.float64(0.6), np.linspace(0.5, 1.0, 5))


@pytest.mark.parametrize("name", ["NUTS", "Metropolis"])
def test_given_its_tuning_a_chain_does_not_depend_on_those_beside_it(name):
    """The arithmetic is the same; vector instructions may round the last bits otherwise."""
    make = {"NUTS": ft.NUTS, "Metropolis": ft.Metropolis}[name]
    plan = observed().plan().as_written()
    methods = [make(draws=60, warmup=0, chains=chains) for chains in (2, 5)]
    two, five = (fit(method, tuning=tuning(), plan=plan) for method in methods)
    for site in ("mu", "tau", "eta"):
        np.testing.assert_allclose(two[site], five[site][:2], rtol=1e-9, atol=1e-9)


def test_a_given_tuning_is_the_one_used():
    plan = observed().plan().as_written()
    found = fit(ft.NUTS(draws=20, chains=2), tuning=tuning(), plan=plan)
    assert (found["step_size"] == 0.6).all()


def test_warm_up_ends_with_one_tuning_for_all_draws():
    step_sizes = fit(METHODS["NUTS"])["step_size"]
    assert len(np.unique(step_sizes)) == 1


class Stop(Display):
    """Interrupt at the n-th report of a phase."""

    def __init__(self, phase: str, count: int):
        self.phase_to_stop, self.count = phase, count

    def phase(self, name, wanted, chains, every=1):
        def report(chunk):
            if name == self.phase_to_stop:
                self.count -= 1
                if self.count == 0:
                    raise KeyboardInterrupt

        return report


@every_method
def test_an_interrupt_returns_the_draws_so_far(monkeypatch, method):
    whole = fit(method)
    monkeypatch.setattr(run, "CHUNK_STEPS", 37)
    part = fit(method, progress=Stop("sampling", 1))
    drawn_so_far = part["mu"].shape[1]
    assert 0 < drawn_so_far < method.draws
    for name, values in part.items():
        np.testing.assert_array_equal(values, whole[name][:, :drawn_so_far], err_msg=name)


def test_an_interrupt_before_any_draw_is_passed_on(monkeypatch):
    monkeypatch.setattr(run, "CHUNK_STEPS", 1)
    monkeypatch.setattr(run, "CHUNK_FIRST", 1)
    with pytest.raises(KeyboardInterrupt):
        fit(METHODS["NUTS"], progress=Stop("sampling", 1))


def test_an_interrupt_of_warm_up_is_passed_on():
    with pytest.raises(KeyboardInterrupt):
        fit(METHODS["NUTS"], progress=Stop("warm-up", 1))


@every_method
def test_a_fit_calls_the_model_at_most_twice(method):
    calls = []

    def counted(y):
        calls.append(1)
        mu = ft.sample("mu", ft.Normal(0, 1))
        ft.sample("y", ft.Normal(mu, 1), obs=y)

    ft.fit(ft.model(counted)(np.float64(0.5)), method, progress=False)
    assert len(calls) <= 2


def test_equal_models_share_compiled_code():
    """Other data of the same shape make an equal target, so that nothing is compiled again."""
    other = small(np.array([2.0, 1.0, 1.0])).condition(y=np.zeros(3))
    (one, data), (two, other_data) = (ft.density(m).target() for m in (observed(), other))
    assert one == two
    assert hash(one) == hash(two)
    leaves = zip(jax.tree.leaves(data), jax.tree.leaves(other_data), strict=True)
    assert any(np.any(a != b) for a, b in leaves)


def test_a_fit_changes_no_setting_of_jax():
    before = jax.config.jax_enable_x64
    fit(METHODS["NUTS"])
    assert jax.config.jax_enable_x64 == before
    assert jnp.zeros(1).dtype == (jnp.float64 if before else jnp.float32)


@every_method
def test_every_method_finds_the_posterior(method):
    """A normal mean with a normal prior has a normal posterior."""

    @ft.model
    def normal(y):
        mu = ft.sample("mu", ft.Normal(0, 2))
        with ft.plate("row", len(y)):
            ft.sample("y", ft.Normal(mu, 1), obs=y)

    y = np.array([1.0, 2.0, 0.5])
    precision = 1 / 4 + len(y)
    mean, sd = y.sum() / precision, precision**-0.5
    draws = 4000 if isinstance(method, ft.NUTS | ft.HMC) else 20_000
    method = replace(method, draws=draws, warmup=1000)
    posterior = ft.fit(normal(y), method, seed=1, progress=False)
    from scipy.stats import norm

    levels = {p: np.asarray(norm(mean, sd).ppf(p)) for p in (0.05, 0.25, 0.5, 0.75, 0.95)}
    known = zoo.Reference(np.asarray(mean), np.asarray(sd), levels)
    scores = zoo.misses(posterior, {"mu": known})
    assert max(map(abs, scores.values())) < 4, zoo.worst(scores)
