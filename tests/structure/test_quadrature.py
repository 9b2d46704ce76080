"""Check integrals by quadrature, and draws back, against scipy's and against other samplers."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.integrate import cumulative_trapezoid, quad

import finetti as ft
import finetti.inference.fit as fits
from finetti.structure.rewrites.quadrature import find

ROWS = 90
GROUP = np.random.default_rng(5).integers(0, 7, ROWS)  # in no order, in groups of all sizes
X = np.random.default_rng(6).normal(size=ROWS)
POINTS = ({"b": 0.3, "mu": -0.2, "tau": 0.8}, {"b": -1.1, "mu": 1.2, "tau": 2.5})
CLOSE = 1e-4  # nats, where as many nodes are made as errors of a hundredth take


@pytest.fixture(autouse=True)
def small(monkeypatch):
    """Make it of few members, and so many nodes that nothing but rounding is left."""
    monkeypatch.setattr(find, "FEWEST", 2)
    monkeypatch.setattr(find, "LEAST", 0)
    monkeypatch.setattr(find, "ERROR", CLOSE / np.sqrt(7) / 100)


def outcome(family, eta, y=None):
    match family:
        case "counts":
            return ft.sample("y", ft.Poisson(jnp.exp(eta)), obs=y)
        case "yes or no":
            return ft.sample("y", ft.Bernoulli(logits=eta), obs=y)
        case "successes":
            return ft.sample("y", ft.Binomial(5, logits=eta), obs=y)
        case "waits":
            return ft.sample("y", ft.Gamma(2.0, 2 * jnp.exp(-eta)), obs=y)


Y = {
    "counts": np.random.default_rng(7).poisson(2.0, ROWS),
    "yes or no": np.random.default_rng(7).integers(0, 2, ROWS),
    "successes": np.random.default_rng(7).integers(0, 6, ROWS),
    "waits": np.random.default_rng(7).gamma(2.0, 0.5, ROWS),
}


@ft.model
def located(family, x, group, y=None):
    """Have effects about a mean of their own."""
    b, mu = ft.sample("b", ft.StudentT(5, 0, 1)), ft.sample("mu", ft.StudentT(5, 0, 1))
    tau = ft.sample("tau", ft.HalfNormal(2))
    with ft.plate("group", 7):
        u = ft.sample("u", ft.Normal(mu, tau))
    with ft.plate("row", len(x)):
        outcome(family, b * x + u[group], y)


@ft.model
def partly(family, x, group, y=None):
    """Have effects in the first 60 rows alone: the others depend on no member."""
    b, mu = ft.sample("b", ft.StudentT(5, 0, 1)), ft.sample("mu", ft.StudentT(5, 0, 1))
    tau = ft.sample("tau", ft.HalfNormal(2))
    with ft.plate("group", 7):
        u = ft.sample("u", ft.Normal(0, tau))
    with ft.plate("row", len(x)):
        eta = jnp.concatenate([u[group[:60]], jnp.zeros(len(x) - 60)])
        outcome(family, mu + b * x + eta, y)


CASES = [(located, family) for family in Y] + [(partly, "counts"), (partly, "yes or no")]
named = pytest.mark.parametrize(
    ("model", "family"), CASES, ids=[f"{m.name}, {f}" for m, f in CASES]
)


def posed(model, family):
    bound = model(family, X, GROUP, Y[family])
    plan = bound.plan().without("straighten")
    assert "quadrature u" in [r.name for r in plan.rewrites]
    return bound, plan


def exact(bound, point):
    """Return the log of the joint density with each member integrated out by scipy."""
    written = ft.density(bound, bound.plan().as_written())
    names = ("b", "mu", "tau", "u")
    free = [np.log(point[n]) if n == "tau" else point[n] for n in names[:3]]

    @jax.jit
    def joint(u):
        return written.log_density(jnp.concatenate([jnp.asarray(free), u]))

    base, total = np.zeros(7), 0.0
    for j in range(7):  # to a place of its own mass, so that the integrals are not 0
        places = np.linspace(-8, 8, 161)
        heights = [float(joint(jnp.asarray(np.where(np.arange(7) == j, p, base)))) for p in places]
        base[j] = places[int(np.argmax(heights))]
    middle = float(joint(jnp.asarray(base)))
    for j in range(7):

        def density(x, j=j):
            at = np.where(np.arange(7) == j, x, base)
            return np.exp(float(joint(jnp.asarray(at))) - middle)

        found, _ = quad(density, base[j] - 20, base[j] + 20, points=[base[j]], limit=200)
        total += np.log(found)
    return middle + total


@named
def test_the_density_is_that_of_integrals(float64, model, family):
    bound, plan = posed(model, family)
    ours = ft.density(bound, plan)
    for point in POINTS:
        z = jnp.array([point["b"], point["mu"], np.log(point["tau"])])
        assert float(ours.log_density(z)) == pytest.approx(exact(bound, point), abs=CLOSE)


@named
def test_its_slopes_are_those_of_its_values(float64, model, family):
    bound, plan = posed(model, family)
    ours = ft.density(bound, plan)
    z, gap = jnp.array([0.3, -0.2, 0.4]), 1e-4
    slope = jax.grad(ours.log_density)(z)
    for i, unit in enumerate(np.eye(3)):
        rise = ours.log_density(z + gap * unit) - ours.log_density(z - gap * unit)
        assert float(slope[i]) == pytest.approx(float(rise) / (2 * gap), abs=1e-3)


@pytest.mark.parametrize("elsewhere", [None, [0.1, 0.7, np.log(3.2)]], ids=["", "learned"])
@pytest.mark.parametrize("family", Y)
def test_members_are_drawn_back_from_their_densities(float64, family, elsewhere):
    # Skewed ones among them: few rows, and a wide prior. What a run learns where it begins is as
    # far from here as the posteriors of quadrature, of 500 members and more, reach.
    bound, plan = posed(located, family)
    built = ft.density(bound, plan)
    target, given = built.target()
    given = jax.tree.map(jnp.asarray, given)
    if elsewhere is not None:
        learned = target.form.teach(given, target.layout.split(jnp.array(elsewhere)))
        told = {name: {**own, **learned.get(name, {})} for name, own in given.rewrites.items()}
        given = given._replace(rewrites=told)
    z = jnp.array([0.3, 0.5, np.log(4.0)])
    many = 20_000
    keys = jax.random.split(jax.random.key(1), many)
    draws = jax.vmap(lambda key: target.values(key, given, z, ("u",))["u"])(keys)
    moments = target.moments(jax.random.key(0), given, z, ("u",))["u"]
    written = ft.density(bound, bound.plan().as_written())
    free = jnp.array([0.3, 0.5, np.log(4.0)])
    places = np.linspace(-25, 25, 4001)
    for j in range(7):
        at = jnp.zeros((len(places), 7)).at[:, j].set(places)
        logs = jax.vmap(lambda u: written.log_density(jnp.concatenate([free, u])))(at)
        mass = np.exp(np.asarray(logs) - float(logs.max()))
        below = cumulative_trapezoid(mass, initial=0)
        below = below / below[-1]
        mean = (places * mass).sum() / mass.sum()
        variance = ((places - mean) ** 2 * mass).sum() / mass.sum()
        assert float(moments[0][j]) == pytest.approx(mean, abs=1e-4)
        assert float(moments[1][j]) == pytest.approx(variance, rel=1e-3)
        found = np.asarray(draws[:, j])
        assert abs(found.mean() - mean) < 4.5 * np.sqrt(variance / many)
        for share in (0.02, 0.25, 0.5, 0.75, 0.98):
            place = np.searchsorted(below, share)
            due = below[place]
            error = np.sqrt(due * (1 - due) / many)
            assert abs((found <= places[place]).mean() - due) < 4.5 * error


def test_the_plan_says_so_and_can_be_told_not_to():
    bound, plan = posed(located, "counts")
    done = {row.site: row.done for row in plan.rows()}
    assert done["u"] == "integrate out by quadrature"
    assert "3 of 10 dimensions to sample" in str(plan)
    assert "NOT exact" not in str(plan)
    others = [r.verb for r in plan.without("quadrature").rewrites]
    assert "quadrature" not in others
    assert "centre" in others
    asked = [r.verb for r in bound.plan().approximate("u").rewrites]
    assert "approximate" in asked
    assert "quadrature" not in asked


def test_it_is_not_made_of_few_members(monkeypatch):
    monkeypatch.undo()
    plan = located("counts", X, GROUP, Y["counts"]).plan()
    assert "quadrature" not in [r.verb for r in plan.rewrites]


@pytest.mark.parametrize(("least", "made"), [(14, True), (15, False)])
def test_it_is_made_where_log_densities_are_many(monkeypatch, least, made):
    monkeypatch.setattr(find, "LEAST", least)  # each of 7 has its prior and its pooled counts

    @ft.model
    def counted(group, y):
        tau = ft.sample("tau", ft.HalfNormal(1))
        with ft.plate("group", 7):
            u = ft.sample("u", ft.Normal(0, tau))
        with ft.plate("row", len(y)):
            ft.sample("y", ft.Poisson(jnp.exp(u[group])), obs=y)

    verbs = [r.verb for r in counted(GROUP, Y["counts"]).plan().rewrites]
    assert "pool" in verbs
    assert ("quadrature" in verbs) is made


def test_where_no_polynomial_is_close_trajectories_are_cheaper(monkeypatch):
    monkeypatch.setattr(fits, "EMULATED", 0)
    bound, _ = posed(located, "counts")
    method = ft.Automatic(draws=20, warmup=20)
    for plan in (None, bound.plan()):
        found = ft.fit(bound, method, plan=plan, progress=False)
        assert found.attributes["method"].startswith("NUTS")
        assert any(name.startswith("centre") for name in found.learned.coordinates)
    monkeypatch.setattr(fits, "dear", lambda price: True)
    found = ft.fit(bound, method, progress=False)
    assert found.attributes["method"].startswith("IndependentMetropolis")
    assert "emulated=False" in found.attributes["method"]


def test_methods_that_follow_gradients_move_the_members():
    bound, _ = posed(located, "counts")
    short = {"draws": 20, "warmup": 20, "chains": 1}
    begun = {"b": 0.3, "mu": 0.0, "tau": 1.0, "u": np.zeros(7)}
    for method, init in (
        (ft.NUTS(**short), None), (ft.HMC(**short), None), (ft.Automatic(**short), begun),
    ):  # fmt: skip
        found = ft.fit(bound, method, init=init, progress=False)
        assert "quadrature u" not in str(found.attributes["plan"])
        assert found.attributes["method"].startswith(("NUTS", "HMC"))


def test_what_laplace_s_method_leaves_is_moved_as_well():
    @ft.model
    def apart(group, other, y):
        tau = ft.sample("tau", ft.HalfNormal(1))
        with ft.plate("group", 7):
            u = ft.sample("u", ft.Normal(0, tau))
        with ft.plate("other", 3):
            v = ft.sample("v", ft.Normal(0, 1))
        with ft.plate("row", len(y)):
            ft.sample("y", ft.Poisson(jnp.exp(X * u[group])), obs=y)
            ft.sample("z", ft.Poisson(jnp.exp(v[other])), obs=y)

    bound = apart(GROUP, np.arange(ROWS) % 3, Y["counts"])
    assert "quadrature u" in [r.name for r in bound.plan().rewrites]
    verbs = [r.verb for r in ft.EmbeddedLaplace(sites=("v",)).plan(bound, None).rewrites]
    assert "approximate" in verbs
    assert "quadrature" not in verbs


def test_members_that_meet_are_not_integrated_apart():
    @ft.model
    def chained(y):
        tau = ft.sample("tau", ft.HalfNormal(1))
        with ft.plate("group", 7):
            u = ft.sample("u", ft.Normal(0, tau))
        with ft.plate("pair", 6):
            ft.sample("y", ft.Poisson(jnp.exp(u[1:] - u[:-1])), obs=y)

    assert "quadrature" not in [r.verb for r in chained(np.arange(6)).plan().rewrites]


def test_a_fit_has_the_posterior_of_trajectories_and_can_be_made_again(tmp_path):
    bound, _ = posed(located, "counts")
    found = ft.fit(bound, seed=1, progress=False)
    assert found.attributes["method"].startswith("IndependentMetropolis")
    other = bound.plan().without("quadrature")
    method = ft.NUTS(target_acceptance=0.95)
    told = ft.fit(bound, method, plan=other, seed=2, progress=False)
    one, two = found.summary(), told.summary()
    error = np.hypot(one["mcse_mean"], two["mcse_mean"])
    assert (abs(one["mean"] - two["mean"]) < 4.5 * error).all()
    again = ft.fit(bound, ft.IndependentMetropolis(draws=200), tuning=found.learned, progress=False)
    assert abs(float(again["b"].mean()) - one["mean"]["b"]) < 0.1
    kept = ft.fit(bound, seed=1, out=tmp_path / "run.zarr", progress=False)
    np.testing.assert_array_equal(kept["u"], found["u"])


def test_what_holds_where_it_was_learned_is_not_handed_on(monkeypatch):
    bound, plan = posed(located, "counts")
    method = ft.IndependentMetropolis(draws=30, emulated=True)
    found = ft.fit(bound, method, plan=plan, seed=1, progress=False)
    assert "emulated=False" in found.attributes["method"]  # seven members are too few
    for name, own in found.learned.coordinates.items():
        if name.startswith("quadrature"):
            assert own["start"].any()
            assert not own["seen"]
            assert not own["bent"].any()
            break
    else:
        pytest.fail("nothing was learned of the members")
    again = ft.fit(bound, method, plan=plan, tuning=found.learned, seed=1, progress=False)
    assert again["u"].shape == found["u"].shape
