"""Check which members a plan moves by themselves, and that each has its own part of the density."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import finetti as ft
from finetti.compiling import ONCE, compiled
from finetti.targets.density import density
from zoo.groups import counts, intercepts

GROUPS = 600
GROUP = np.repeat(np.arange(GROUPS), np.where(np.arange(GROUPS) % 2, 2, 5))
RANDOM = np.random.default_rng(11)
EFFECT = RANDOM.normal(0.5, 0.6, GROUPS)
X = RANDOM.normal(size=len(GROUP))
COUNTS = RANDOM.poisson(np.exp(EFFECT[GROUP]))


def counted() -> ft.Model:
    return counts(ft.groups(GROUP)).condition(y=COUNTS)


@ft.model
def sloped(y, x):
    tau = ft.sample("tau", ft.HalfNormal(1).expand([2]))
    b = ft.sample("b", ft.Normal(0, 1))
    with ft.plate("group", GROUPS):
        level = ft.sample("level", ft.Normal(0, tau[0]))
        slope = ft.sample("slope", ft.StudentT(4, 0, tau[1]))
    with ft.plate("row", len(y)):
        ft.sample("y", ft.Poisson(jnp.exp(b * x + level[GROUP] + slope[GROUP] * x)), obs=y)


@ft.model
def tied(y):
    """Have neighbours meet in a term, so that members are not independent given the rest."""
    tau = ft.sample("tau", ft.HalfNormal(1))
    with ft.plate("group", GROUPS):
        effect = ft.sample("effect", ft.Normal(0, tau))
    ft.factor("smooth", -0.5 * jnp.sum(jnp.diff(effect) ** 2))
    with ft.plate("row", len(y)):
        ft.sample("y", ft.Poisson(jnp.exp(effect[GROUP])), obs=y)


MODELS = {
    "pooled": counted,
    "row by row": counted,
    "sloped": lambda: sloped(COUNTS, X),
}


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.usefixtures("float64")
def test_moving_a_member_changes_its_own_part_alone(name):
    model = MODELS[name]()
    plan = model.plan().without("pool") if name == "row by row" else model.plan()
    assert plan.form.alternating is not None
    built = density(model, plan)
    target, given = built.target()
    random = np.random.default_rng(5)
    given = given.learned(
        {
            m.name: {
                "information": random.gamma(2.0, size=(GROUPS, 1, 1)) * np.eye(m.width),
                "pull": random.normal(size=(GROUPS, m.width)),
            }
            for m in target.form.settling
        }
    )
    whole = compiled(ONCE)(target.log_density)
    parts = compiled(ONCE)(target.by_member)
    x = random.normal(size=built.dim) * 0.5
    before, all_before = whole(given, x), parts(given, x)
    for place, (start, end) in zip((0, 17, GROUPS - 1), 3 * built.layout.spans, strict=False):
        width = (end - start) // GROUPS
        moved = x.copy()
        moved[start + place * width] += 0.7
        change = np.asarray(parts(given, moved) - all_before)
        assert np.flatnonzero(np.abs(change) > 1e-9).tolist() == [place]
        np.testing.assert_allclose(change[place], whole(given, moved) - before, rtol=1e-8)


def test_the_plan_says_so_and_can_be_told_not_to():
    plan = counted().plan()
    assert "alternate theta" in str(plan)
    assert "600 members, each accepted by itself" in str(plan)
    refused = plan.without("alternate theta")
    assert refused.form.alternating is None
    assert [r for r in plan.rewrites if r.name != "alternate theta"] == list(refused.rewrites)


@pytest.mark.parametrize(
    "plan",
    [
        lambda: tied(COUNTS).plan(),
        lambda: counted().plan().without("centre"),
        lambda: counted().plan().approximate(),
        lambda: counted().plan().as_written(),
    ],
    ids=["tied members", "not centred", "approximated", "as written"],
)
def test_members_that_are_tied_or_not_sampled_do_not_move_by_themselves(plan):
    assert plan().form.alternating is None


@pytest.mark.usefixtures("float64")
def test_a_scale_below_rounding_does_not_spoil_the_density():
    """Toward scale 0 only the Jacobian of its logarithm is left: a slope of 1.

    Of Normal(mu, tau) the difference from mu by tau is nothing but rounding there.
    """
    model = counted()
    plan = model.plan().without("straighten", "pool")
    built = density(model, plan)
    target, given = built.target()
    random = np.random.default_rng(6)
    free = {"mu": jnp.asarray(0.9), "theta": jnp.asarray(random.normal(size=GROUPS))}

    def at(log_tau):
        position = built.layout.join({**free, "tau": jnp.asarray(log_tau)})
        return target.log_density(given, position)

    assert float(at(-44.0) - at(-60.0)) == pytest.approx(16, abs=1e-6)
    assert float(jax.grad(at)(-50.0)) == pytest.approx(1, abs=1e-9)


@pytest.mark.slow
def test_the_posterior_is_that_of_exact_integration():
    """Normal effects can be integrated out: what is left to sample then is the scales alone."""
    random = np.random.default_rng(8)
    y = random.normal(EFFECT[GROUP], 1.0)

    model = intercepts(ft.groups(GROUP)).condition(y=y)
    plan = model.plan().without("integrate out", "condense")
    assert plan.form.alternating is not None
    one = ft.fit(model, ft.NUTS(draws=500, warmup=300), plan=plan, seed=3, progress=False)
    other = ft.fit(model, ft.NUTS(draws=500, warmup=300), seed=4, progress=False)
    assert one.tree["sample_stats"]["acceptance_rate"].sizes["block"] == 2
    assert not one.tree["sample_stats"]["diverging"].any()
    tables = [p.summary(["mu", "tau", "sigma"]) for p in (one, other)]
    for row in ("mu", "tau", "sigma"):
        mean, error, sd = ([t.loc[row, c] for t in tables] for c in ("mean", "mcse_mean", "sd"))
        assert abs(mean[0] - mean[1]) < 4 * np.hypot(*error)
        sd_error = [t.loc[row, "mcse_sd"] for t in tables]
        assert abs(sd[0] - sd[1]) < 4 * np.hypot(*sd_error)
    shrunk = [p["theta"].mean(("chain", "draw")) for p in (one, other)]
    assert np.abs(shrunk[0] - shrunk[1]).max() < 0.15
