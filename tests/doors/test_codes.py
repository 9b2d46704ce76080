"""Check that codes stay in the plate they index, and number its members and no others."""

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd
import pytest
from cases import Refused

import finetti as ft
from criticism import exact

Y = np.zeros(4)
FINE = np.array([0, 1, 2, 1])
FROM_ONE = np.array([1, 2, 3, 1])
RANDOM = np.random.default_rng(3)


def indexed(pick, size=3, plate=True):
    """Return a model whose rows have the effects that `pick` takes from `size` of them."""

    @ft.model
    def model(g, y):
        mu = ft.sample("mu", ft.Normal(0, 1))
        if plate:
            with ft.plate("school", size):
                a = ft.sample("a", ft.Normal(0, 1))
        else:
            a = ft.sample("a", ft.ZeroSumNormal(1.0, (size,)))
        with ft.plate("row", len(y)):
            ft.sample("y", ft.Normal(mu + pick(a, g), 1.0), obs=y)

    return model


def looked_up(a, g):
    return a[g]


def summed_up(a, g):
    return jax.ops.segment_sum(a[FINE], g, num_segments=3).sum() * jnp.ones(4)


def stepped(a, g):
    return jax.lax.scan(lambda c, i: (c, a[i]), 0.0, jnp.asarray(g))[1]


def branched(a, g):
    return jax.lax.cond(a[0] > 0, lambda: a[g], lambda: jnp.zeros(4))


def with_reference(a, g):
    return jnp.concatenate([jnp.zeros(1), a])[g]


def paired(a, g):
    return jnp.outer(a, a)[g, FINE]


def put(a, g):
    return jnp.zeros(3).at[g].add(a[0])[FINE]


PICKS = {
    "looked up": looked_up,
    "after arithmetic": lambda a, g: (2 * a + 1)[g],
    "reshaped": lambda a, g: a.reshape(3, 1)[g, 0],
    "in columns": lambda a, g: jnp.stack([a, a], 1)[g, 1],
    "in the second of two": lambda a, g: jnp.outer(a, a)[FINE, g],
    "in the first of two": paired,
    "by take": lambda a, g: jnp.take(a, g),
    "by take, clipped": lambda a, g: jnp.take(a, g, mode="clip"),
    "by take_along_axis": lambda a, g: jnp.take_along_axis(a, jnp.asarray(g), 0),
    "as an array of JAX": lambda a, g: a[jnp.asarray(g)],
    "computed": lambda a, g: a[jnp.asarray(g) * 2 - jnp.asarray(g)],
    "in jit": lambda a, g: jax.jit(lambda a: a[g])(a),
    "by vmap": lambda a, g: jax.vmap(lambda i: a[i])(jnp.asarray(g)),
    "in a checkpoint": lambda a, g: jax.checkpoint(lambda a: a[jnp.asarray(g)])(a),
    "in a branch": branched,
    "in a scan": stepped,
    "summed by group": summed_up,
    "put in place": put,
    "in a table of data": lambda a, g: jnp.array([1.0, 2.0, 3.0])[g] * a[0],
}


def refused(name, model, *words):
    return Refused(name, lambda: model.plan(), ft.OutsidePlate, words)


def fitted(codes, **given):
    return indexed(looked_up, **given)(codes, Y)


def of_two_plates(index, letters="xyxz"):
    """Return a crossed model whose subjects' effects are picked by `index`."""
    subject, item = ft.groups(list("abab")), ft.groups(list(letters))

    @ft.model
    def crossed(subject, item):
        with ft.plate("subject", subject):
            a = ft.sample("a", ft.Normal(0, 1))
        with ft.plate("item", item):
            b = ft.sample("b", ft.Normal(0, 1))
        which = subject if index == "subject" else item
        with ft.plate("row", 4):
            ft.sample("y", ft.Normal(a[which] + b[item], 1.0), obs=Y)

    return crossed(subject, item)


def of_labels(labels, codes):
    @ft.model
    def labelled(county):
        with ft.plate("county", labels):
            a = ft.sample("a", ft.Normal(0, 1))
        with ft.plate("row", 4):
            ft.sample("y", ft.Normal(a[county], 1.0), obs=Y)

    return labelled(codes)


def nested(school_of):
    @ft.model
    def classes(classroom, school_of):
        with ft.plate("school", 2):
            a = ft.sample("a", ft.Normal(0, 1))
        with ft.plate("class", 3):
            b = ft.sample("b", ft.Normal(a[school_of], 1))
        with ft.plate("row", 4):
            ft.sample("y", ft.Normal(b[classroom], 1), obs=Y)

    return classes(FINE, np.array(school_of))


def at(place):
    @ft.model
    def one():
        with ft.plate("school", 3):
            a = ft.sample("a", ft.Normal(0, 1))
        ft.sample("y", ft.Normal(a[place].sum(), 1.0), obs=0.0)

    return one()


AROUND = FROM_ONE  # what a model takes from around it


@ft.model
def closing():
    with ft.plate("school", 3):
        a = ft.sample("a", ft.Normal(0, 1))
    with ft.plate("row", 4):
        ft.sample("y", ft.Normal(a[AROUND], 1.0), obs=Y)


START = ("`g` is 3 in row 2", "3 members, 0 to 2", "codes start at 0")
MISSING = pd.Categorical(["u", None, "v", "w"]).codes.astype(int)
CASES = [
    refused("from one", fitted(FROM_ONE), *START, "plate `school` of `a`"),
    refused("beyond", fitted(np.array([0, 1, 2, 9])), "`g` is 9 in row 3", "ft.groups"),
    refused("below", fitted(np.array([0, -3, 2, 1])), "`g` is -3 in row 1"),
    refused("missing in pandas", fitted(MISSING), "`g` is -1 in row 1", "missing", "leave"),
    refused("several", fitted(np.array([7, 1, 8, 9])), "`g` is 7 in row 0", "3 such rows"),
    refused("far beyond", fitted(np.array([0, 1, 2, 2**40])), str(2**40)),
    refused("unsigned", fitted(np.array([0, 1, 2, 255], np.uint8)), "`g` is 255"),
    refused("one member", fitted(np.array([0, 0, 1, 0]), size=1), "1 members"),
    refused("a single place", at(3), "`place` is 3", "plate `school` of `a`"),
    refused("a list of places", at(np.array([0, 3])), "is 3 in row 1"),
    refused("a level of the last class", nested([0, 1, 2]), "`school_of` is 2", "plate `school`"),
    refused("what is around the model", closing(), "`AROUND` is 3", "codes start at 0"),
    refused("a vector", fitted(FROM_ONE, plate=False), "`g` is 3", "made of `a`", "start at 0"),
    refused("a vector, below", fitted(FINE - 1, plate=False), "`g` is -1 in row 0"),
    refused(
        "a reference beside",
        indexed(with_reference, 2)(FROM_ONE, Y),
        "`g` is 3",
        "made of `a`, has 3 entries",
    ),
    refused("another plate's", of_two_plates("item"), "`a` in plate `subject`", "plate `item`"),
    refused("another's, inside", of_two_plates("item", "xyyx"), "codes of plate `item`"),
    refused("another order", of_labels(["b", "a"], ft.groups(list("abab"))), "`county`", "labels="),
    refused("other groups", of_labels(["x", "y"], ft.groups(list("abab"))), "`county`", "'a', 'b'"),
    *(refused(f"{name}", indexed(pick)(FROM_ONE, Y), "is 3", "2") for name, pick in PICKS.items()),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_codes_outside_their_plate_are_refused(case):
    case.check()


@pytest.mark.parametrize("name", PICKS)
def test_codes_inside_are_taken(name):
    assert indexed(PICKS[name])(FINE, Y).variables


RIGHT = {
    "groups": lambda: of_labels(["a", "b"], ft.groups(list("abab"))),
    "groups of more labels": lambda: of_labels(
        ["a", "b", "c"], ft.groups(list("abab"), list("abc"))
    ),
    "crossed": lambda: of_two_plates("subject"),
    "crossed, the same codes": lambda: of_two_plates("item", "xyxy"),
    "the last": lambda: at(-1),
    "nested": lambda: nested([0, 1, 1]),
    "a vector": lambda: fitted(FINE, plate=False),
    "a reference": lambda: indexed(with_reference, 2)(FINE, Y),
    "a rolled table": lambda: indexed(lambda a, g: jnp.arange(4.0)[np.arange(4) - 1])(FINE, Y),
}


@pytest.mark.parametrize("name", RIGHT)
def test_right_codes_are_taken(name):
    assert RIGHT[name]().variables


def test_an_index_that_is_not_whole_is_refused_with_its_line():
    with pytest.raises(ft.ModelError, match=r"test_codes.py .*not whole.*ft\.groups"):
        fitted(FINE.astype(float)).plan()


def refit():
    """Return a posterior of effects in a vector, whose last member has no rows."""

    @ft.model
    def shares(g, x):
        a = ft.sample("a", ft.ZeroSumNormal(1.0, (3,)))
        with ft.plate("row", len(x)):
            ft.sample("y", ft.Normal(a[g] + x, 1.0), obs=np.zeros(len(x)))

    return exact.posterior(
        shares(np.array([0, 1, 1, 0]), np.zeros(4)), a=RANDOM.normal(size=(2, 50, 3))
    )


@pytest.mark.parametrize("new_groups", ["refuse", "sample", "population"])
@pytest.mark.parametrize("code", [3, -1])
def test_predictions_for_members_that_no_effect_stands_for_are_refused(code, new_groups):
    posterior = refit()
    rows = {"g": np.array([0, code]), "x": np.zeros(2)}
    with pytest.raises(ft.DataError, match=f"`g` is {code} in row 1.*3 entries"):
        ft.predict(posterior, rows, new_groups=new_groups)
    seen = ft.predict(posterior, {**rows, "g": np.array([0, 2])})["predictions"]
    np.testing.assert_allclose(seen["y"].mean(), posterior["a"][..., [0, 2]].mean(), atol=0.5)
