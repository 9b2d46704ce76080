"""Check that two things of one name are refused before any work, and that other names are taken."""

import numpy as np
import pytest
from cases import Refused

import finetti as ft


def model(plate="group", site="theta", other="y", event=()):
    def statements():
        with ft.plate(plate, 3):
            theta = ft.sample(site, ft.Normal(0, 1).expand([3, *event]).to_event(len(event)))
        ft.sample(other, ft.Normal(theta.sum(), 1), obs=0.0)

    return ft.Model(statements, "m")()


def refused(name, found, *words):
    return Refused(name, lambda: ft.fit(found, progress=False), ft.ModelError, words)


CASES = [
    refused("a plate like its site", model("theta"), "site `theta`", "plate `theta`", "rename"),
    refused("a plate like another site", model("y"), "site `y`", "plate `y`"),
    refused("a plate of chains", model("chain"), "plate `chain`", "posterior's own"),
    refused("a plate of draws", model("draw"), "plate `draw`", "posterior's own"),
    refused("a site of chains", model(site="chain"), "site `chain`", "posterior's own"),
    refused("a site like a dimension", model(other="theta_dim_0", event=(2,)), "`theta_dim_0`"),
    refused("a plate like a dimension", model("theta_dim_0", event=(2,)), "`theta_dim_0`"),
    refused("a slash and a dot", model(site="a/b", other="a.b"), "`a/b`", "`a.b`"),
]


UNKEPT = ("", ".", "..", "/", "a\\b", "a\0b", "zarr.json", ".zarray", "a" * 201, "ü" * 101)
CASES += [
    refused(f"a {kind} named {name[:9]!r}", model(**{kind: name}), "name", "no run could be kept")
    for name in UNKEPT
    for kind in ("site", "plate")
]
ODD = (
    ("µ", "a/b", 'a"b', "a\nb", "x[0]", "mean", "posterior", "🐢"),
    ("a b", "a'b", "x[", "#", "%s", "{}", "r_hat", "name"),
    ("dims", "coords", "\u202e", "a=b", "a:b", "None", "a__init__", "~"),
)


@pytest.mark.parametrize(
    "names", [ODD[0], *(pytest.param(n, marks=pytest.mark.slow) for n in ODD[1:])]
)
def test_names_of_any_other_characters_are_kept_as_they_are(names, tmp_path):
    """One run has them all: it is saved, opened, summarised, and each is found again."""
    first, *others = names

    @ft.model
    def odd():
        for name in others:
            ft.sample(name, ft.Normal(0, 1))
        with ft.plate(first, names):
            ft.sample("in a plate", ft.Normal(0, 1))

    found = ft.fit(odd(), ft.Automatic(draws=4, warmup=2, chains=2), seed=1, progress=False)
    found.save(tmp_path / "run.zarr")
    opened = ft.open(tmp_path / "run.zarr")
    assert list(opened.summary().index) == list(found.summary().index)
    for name in (*others, "in a plate"):
        np.testing.assert_array_equal(opened[name], found[name])
        assert opened[name].dims == found[name].dims
    assert list(opened["in a plate"].coords[found["in a plate"].dims[-1]].to_numpy()) == [*names]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_two_things_of_one_name_are_refused(case):
    case.check()


@pytest.mark.parametrize("length", [1, 63, 64, 200])
def test_a_deterministic_that_the_data_determine_is_kept(length):
    """It may be computed ahead, and is a site like any other all the same."""

    @ft.model
    def known(x):
        ft.deterministic("twice", 2 * x)
        mu = ft.sample("mu", ft.Normal(0, 1))
        ft.sample("y", ft.Normal(mu, 1), obs=0.0)

    found = known(np.arange(float(length)))
    assert "twice" in str(found.plan())
    posterior = ft.fit(found, ft.NUTS(draws=3, warmup=0, chains=1), progress=False)
    np.testing.assert_array_equal(posterior["twice"][0, 0], 2.0 * np.arange(length))
