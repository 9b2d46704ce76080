"""Bad formulas, priors and tables are refused in a sentence that names what and what to do."""

import warnings

import numpy as np
import pandas as pd
import pytest
from tests.formulas.table import table

import finetti as ft

D = table()
NAN = D.assign(z=D.z.where(D.index > 2), f=D.f.where(D.index != 5))

REFUSED = {
    "no tilde": (("y x", {}), "is no formula"),
    "no outcome": (("~ x", {}), "is no formula"),
    "empty": (("", {}), "is empty"),
    "open bracket": (("y ~ (1 | g", {}), "not closed"),
    "unknown column": (("y ~ xx", {}), "'xx'"),
    "unknown outcome": (("why ~ x", {}), "no column `why`"),
    "unknown group": (("y ~ (1 | grp)", {}), "no column `grp`"),
    "unknown function": (("y ~ lag(x)", {}), "lag"),
    "group of one level": (("y ~ (1 | one)", {}), "one level"),
    "group within an interaction": (("y ~ x:(1 | g)", {}), "by itself"),
    "too many bars": (("y ~ (1 | g | h | f)", {}), "too many bars"),
    "smooth within an interaction": (("y ~ f:s(x)", {}), "by itself"),
    "too many basis functions": (("y ~ s(k, k=9)", {}), "smaller k="),
    "smooths by numbers": (("y ~ s(x, by=w)", {}), "by= takes names"),
    "an operator that is not known": (("y ~ x %in% f", {}), "from '%' on"),
    "a sign that is forgotten": (("y ~ x f", {}), "from 'f' on"),
    "a comma": (("y ~ x, f", {}), "from ',' on"),
    "a sign that is forgotten in a group": (("y ~ (x z | g)", {}), "from 'z' on"),
    "division by a number": (("y ~ x / 2", {}), r"I\(a / b\) to divide"),
    "division of a product": (("y ~ x * z / f", {}), "not clear"),
    "division of a sum": (("y ~ (x + z) / f", {}), "not clear"),
    "a part of a factor": (("y ~ f[a]", {}), r"f\[a\], and brackets choose nothing"),
    "a part of what varies": (("y ~ (f[u] | g)", {}), "write f:u for an interaction"),
    "a minus after a minus": (("y ~ x - -1", {}), "two signs"),
    "a plus after a minus": (("y ~ x - + z", {}), "two signs"),
    "an end of truncation without a name": (("y | trunc(lb=-99, 99) ~ x", {}), "leave 99 out"),
    "trials of two columns": (("wins | trials(n, w) ~ x", {}), "leave w out"),
    "a setting of weights": (("y | weights(w, scale=TRUE) ~ x", {}), "leave scale= out"),
    "a setting of known errors": (("y | se(w, sgma=TRUE) ~ x", {}), "leave sgma= out"),
    "a setting that is neither": (("y | se(w, sigma=yes) ~ x", {}), "True or False, not yes"),
    "a setting of several groups": (("y ~ (1 | mm(g, h, scale=FALSE))", {}), "leave scale= out"),
    "a setting of counts": (("cbind(n, wins, at=1) ~ x", {"family": "multinomial"}), "leave at="),
    "a sum that is neither": (("y ~ (1 | gr(g, zerosum=1))", {}), "True or False, not 1"),
    "unknown setting": (("y ~ s(x, knots=3)", {}), "knots"),
    "unknown addition": (("y | foo(n) ~ x", {}), "foo"),
    "unknown family": (("y ~ x", {"family": "gausian"}), "did you mean 'gaussian'"),
    "unknown link": (("y ~ x", {"link": "loglog"}), "no link"),
    "link of no parameter": (("y ~ x", {"link": {"phi": "log"}}), "no parameter `phi`"),
    "no trials": (("wins ~ x", {"family": "binomial"}), r"trials\(n\)"),
    "successes above trials": (("p(n, wins) ~ x", {}), "at most that of its trials"),
    "not positive": (("z ~ x", {"family": "gamma"}), "above 0"),
    "not counts": (("x ~ z", {"family": "poisson"}), "a count"),
    "beyond the unit": (("positive ~ x", {"family": "beta"}), "between 0 and 1"),
    "three values for yes or no": (("f ~ x", {}), "three|3 values"),
    "text for numbers": (("f ~ x", {"family": "poisson"}), "takes numbers"),
    "one column for several": (("count ~ x", {"family": "multinomial"}), "cbind"),
    "parameter of no family": (("y ~ x; phi ~ z", {}), "'phi'"),
    "a value for a term": (("y ~ x + True", {}), "no column: write 1"),
    "no value for a term": (("y ~ x:None", {}), "None for a term"),
    "a value that groups vary in": (("y ~ (False | g)", {}), "False for a term"),
    "prior of nothing": (("y ~ x", {"priors": {"zz": ft.Normal(0, 1)}}), "no parameter `zz`"),
    "prior of a typo": (("y ~ x", {"priors": {"sigm": ft.HalfNormal(1)}}), "did you mean `sigma`"),
    "prior that is none": (("y ~ x", {"priors": {"b": 3}}), "no distribution"),
    "prior that cannot be read": (("y ~ x", {"priors": ["b ~ Nomal(0, 1)"]}), "mean Normal"),
    "prior without a tilde": (("y ~ x", {"priors": ["Normal(0, 1)"]}), "is no prior"),
    "priors of two families": (
        ("y ~ f", {"priors": {"f[b]": ft.Normal(0, 1), "f[c]": ft.StudentT(3, 0, 1)}}),
        "one family",
    ),
    "correlation with a normal prior": (
        ("y ~ (x | g)", {"priors": {"cor": ft.Normal(0, 1)}}), "LKJ"),
    "no matrix": (("y ~ (1 | gr(g, cov=A))", {}), "matrices="),
    "matrix of another size": (
        ("y ~ (1 | gr(g, cov=A))", {"matrices": {"A": np.eye(3)}}), "shape \\(3, 3\\)"),
    "matrix that is no covariance": (
        ("y ~ (1 | gr(g, cov=A))", {"matrices": {"A": -np.eye(5)}}), "positive definite"),
    "adjacency without names": (("y ~ car(W)", {}), "gr=area"),
    "members of two kinds": (("y ~ (1 | gr(g, by=f))", {}), "several kinds"),
    "weights of another number": (("y ~ (1 | mm(g, h, weights=c(w)))", {}), "give one each"),
    "censoring that says nothing": (("y | cens(n) ~ x", {}), "none, left, right or interval"),
    "an interval without an end": (("y | cens(seen) ~ x", {}), r"cens\(seen, y2\)"),
    "an interval that ends where it begins": (("y | cens(seen, y) ~ x", {}), "above the outcome"),
    "an interval whose end is missing": (("y | cens(seen, nowhere) ~ x", {}), "`nowhere` 11"),
    "an interval that ends in names": (("y | cens(seen, f) ~ x", {}), "not numbers"),
    "censoring by nothing": (("y | cens() ~ x", {}), "names nothing"),
    "censoring by three": (("y | cens(seen, until, x) ~ x", {}), r"write cens\(c\)"),
    "trials of nothing": (("wins | trials() ~ x", {}), "names nothing"),
    "weights of nothing": (("y | weights() ~ x", {}), "names nothing"),
    "weights twice": (("y | weights(w) + weights(n) ~ x", {}), "twice"),
    "a mixture of one": (("y ~ x", {"family": "mixture(gaussian)"}), "two or more"),
    "a mixture of kinds": (("y ~ x", {"family": "mixture(gaussian, poisson)"}), "different kinds"),
    "a mixture of ordered answers": (
        ("grade ~ x", {"family": "mixture(cumulative, nmix=2)"}), "not mixed"),
    "a mixture of a typo": (("y ~ x", {"family": "mixture(gausian, student)"}), "did you mean"),
    "a mixture with a setting": (("y ~ x", {"family": "mixture(gaussian, k=2)"}), "nmix=2"),
    "a component too many": (("y ~ x; mu3 ~ z", {"family": "mixture(gaussian, nmix=2)"}), "'mu3'"),
    "one share of three": (
        ("y ~ x; theta1 ~ z", {"family": "mixture(gaussian, nmix=3)"}), "all but one"),
    "shares of another number": (
        ("y ~ x", {"family": "mixture(gaussian, nmix=2)",
                   "priors": ["theta ~ Dirichlet([1, 1, 1])"]}),
        r"Dirichlet\(\[1, 1\]\)"),
    "errors of a mixture": (
        ("positive | se(se) ~ x", {"family": "mixture(gamma, nmix=2)"}), "normal or Student"),
    "residuals of one outcome": (("y ~ x; set_rescor(TRUE)", {}), "several outcomes"),
    "residuals of counts": (
        ("y ~ x; count ~ x; set_rescor(TRUE)", {"family": {"count": "poisson"}}), "is poisson"),
    "residuals of what is weighted": (
        ("y | weights(w) ~ x; z ~ x; set_rescor(TRUE)", {}), "cannot be said"),
    "residuals that are neither": (("y ~ x; z ~ x; set_rescor(x)", {}), "is no formula"),
    "residuals alone": (("set_rescor(TRUE)", {}), "is empty"),
    "a column that is named as the intercept": (("y ~ Intercept", {}), "rename it"),
    "a file that is written": (("y ~ np.save('written.npy', x)", {}), "no function of numbers"),
    "a file that is read": (("y ~ np.load('x.npy')", {}), "no function of numbers"),
    "numpy's own rooms": (("y ~ np.lib.format.open_memmap('x')", {}), "no function of numbers"),
    "a name of finetti's own": (("y ~ functions(x)", {}), "neither a column nor a function"),
    "pickles": (("y ~ pd.read_pickle('x')", {}), "neither a column nor a function"),
    "errors of counts": (("count | se(se) ~ x", {"family": "poisson"}), "normal or Student"),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_wrong_is_refused(case):
    (text, said), expected = REFUSED[case]
    with pytest.raises(ft.FinettiError, match=expected) as refused:
        ft.formula(text, D.assign(one="a", Intercept=D.x, nowhere=np.nan), **said)
    assert "\n" not in str(refused.value)
    assert "formulae" not in str(refused.value)


def test_missing_values_are_refused_with_their_number_and_both_remedies():
    with pytest.raises(ft.DataError, match=r"4 of 60 rows.*`z` 3.*drop.*impute"):
        ft.formula("y ~ z + f", NAN)


def test_columns_that_are_not_spoken_of_may_lack_values():
    assert ft.formula("y ~ x", NAN).variables


def test_dropped_rows_are_counted():
    with pytest.warns(UserWarning, match="4 of 60 rows"):
        model = ft.formula("y ~ z + f", NAN, missing="drop")
    assert len(model.arguments[1]["y"]) == 56


def test_names_that_are_missing_cannot_be_left_unknown():
    with pytest.raises(ft.DataError, match="`f` lacks 1 of its 60"):
        ft.formula("y ~ f", NAN, missing="impute")


@pytest.mark.parametrize("term", ["I(z**2)", "log(z + 9)", "poly(z, 2):x"])
def test_terms_that_compute_with_unknown_values_are_refused(term):
    with pytest.raises(ft.ModelError, match="a factor of a product"):
        ft.formula(f"y ~ {term}", NAN, missing="impute")


@pytest.mark.parametrize(
    ("data", "said"),
    [
        ({}, "no rows"),
        (3, "takes a table"),
        ({"y": [1.0, 2.0], "x": [1.0]}, "differ"),
        (pd.DataFrame({"y": [], "x": []}), "no rows"),
        (D.assign(x=np.inf), "not finite"),
        (D.assign(y="a"), "one value|2 values|has 1"),
    ],
)
def test_what_is_no_table_is_refused(data, said):
    with pytest.raises(ft.FinettiError, match=said):
        ft.formula("y ~ x", data)


def test_a_file_is_read_by_its_path(tmp_path):
    path = tmp_path / "table.csv"
    D.to_csv(path, index=False)
    again = ft.formula("y ~ x + (1 | g)", path)
    np.testing.assert_allclose(again.arguments[1]["x"], D.x)
    assert ft.formula("y ~ x + (1 | g)", str(path)).code() == again.code()


def test_slopes_far_from_their_level_are_advised_against():
    with pytest.warns(UserWarning, match=r"center\(year\)"):
        ft.formula("y ~ (year | g)", D.assign(year=2000.0 + D.t))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        ft.formula("y ~ (center(year) | g)", D.assign(year=2000.0 + D.t))


def test_components_that_may_change_places_are_advised_against():
    with pytest.warns(UserWarning, match="change places"):
        ft.formula("y ~ 0 + x", D, family="mixture(gaussian, nmix=2)")


@pytest.mark.parametrize(
    ("short", "long"),
    [
        ("f / x", "f + f:x"),
        ("f / g", "f + f:g"),
        ("z + f / g / x", "z + f + f:g + f:g:x"),
        ("f / (x + z)", "f + f:x + f:z"),
        ("I(x / z)", "I(x / z)"),
        ("(1 + f / x | g)", "(1 + f + f:x | g)"),
        ("f * x - x:f", "f + x"),
        ("f * kind + kind:f", "f * kind"),
        ("x * z + z:x", "x * z"),
        ("x * z * t - t:z:x", "x * z + t + x:t + z:t"),
        ("log(x) * f + f:log(x)", "log(x) * f"),
        ("(f * x - x:f | g)", "(f + x | g)"),
    ],
)
@pytest.mark.filterwarnings("ignore:.*predictors before")
def test_terms_within_others_are_those_written_out(short, long):
    first, second = (
        [line for line in ft.formula(f"y ~ {text}", D).code().splitlines() if '"""' not in line]
        for text in (short, long)
    )
    assert first == second


@pytest.mark.parametrize(
    "text", ['y ~ "x"', "y ~ C(f, Treatment('b'))", 'y ~ C(f, Treatment("b"))']
)
def test_quotes_do_not_break_the_code(text):
    model = ft.formula(text, D)
    assert text in (model.function.__doc__ or "")


@pytest.mark.parametrize(
    ("old", "new", "text", "sites"),
    [
        ("x", "class", "y ~ class", {"class"}),
        ("x", "two words", "y ~ `two words`", {"two words"}),
        ("g", "two words", "y ~ (1 | `two words`)", {"two words", "sd[two words]"}),
        ("g", "row", "y ~ (1 | row)", {"row", "sd[row]"}),
        ("x", "sigma", "y ~ sigma", {"sigma", "sigma_"}),
        ("x", "ft", "y ~ ft", {"ft"}),
        ("x", "eta", "yes ~ eta", {"eta"}),
        ("y", "lambda", "lambda ~ x", {"lambda"}),
        ("g", "chain", "y ~ (1 | chain)", {"chain_"}),
        ("x", "1st", "y ~ `1st`", {"1st"}),
        ("g", "a/b", "y ~ (1 | `a/b`)", {"a/b"}),
    ],
)
def test_columns_may_have_any_name(old, new, text, sites):
    model = ft.formula(text, D.rename(columns={old: new}))
    assert sites <= {v.name for v in model.variables}
    assert model.plan().dimensions()


@pytest.mark.parametrize("prior", [ft.LKJ(2), ft.LKJ(3, 2.0), "LKJ(2)", 2.0])
def test_a_correlations_prior_is_its_concentration(prior):
    code = ft.formula("y ~ (x | g)", D, priors={"cor": prior}).code()
    assert "ft.LKJCholesky(2, 2)" in code
