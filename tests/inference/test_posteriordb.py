"""Check fits against the reference posteriors of posteriordb."""

import pytest

import finetti as ft
import zoo

# What a reference says wrongly. The quantile is 1.24 to 1.25, known within 0.01, by 20,000 draws of
# each of two seeds by the plan, and of the model as written; the reference says 1.29.
OFF = {"irt_2pl": {"q0.05 b[1]"}}


def scores(name: str, draws: int, seed: int = 1) -> dict[str, float]:
    case = zoo.posteriordb(name)
    model, like = case.build(), None
    posterior = ft.fit(model, ft.NUTS(draws=draws), seed=seed, progress=False)
    if not all(known.independent for known in case.reference.values()):
        plan = model.plan().as_written()
        like = ft.fit(model, ft.NUTS(), seed=seed, plan=plan, progress=False)
    found = zoo.misses(posterior, case.reference, like)
    # a function of other sites that would only repeat radon's comparisons
    again = {label for label in found if "alpha_raw" in label}
    return {label: z for label, z in found.items() if label not in again | OFF.get(name, set())}


def assert_matches(name: str, found: dict[str, float]) -> None:
    """All lie within 4 standard errors of the difference, save for few of hundreds.

    A reference that is itself a Markov chain states the effective number of its draws for means
    alone. For sds and quantiles ours is an estimate, and we have seen such a reference scatter as
    three quarters of the draws that it gives would (rats, against 8 fits): one in a hundred of
    those may lie further out, none beyond 6.
    """
    sure = {label: z for label, z in found.items() if label.startswith("mean")}
    known = zoo.posteriordb(name).reference.values()
    if all(reference.independent for reference in known):
        sure = found
    assert max(map(abs, sure.values())) < 4, zoo.worst(sure)
    assert max(map(abs, found.values())) < 6, zoo.worst(found)
    assert sum(abs(z) > 4 for z in found.values()) <= 0.01 * len(found), zoo.worst(found)


QUICK = ("kidiq", "rats", "surgical", "low_dim_gauss_mix")  # regressions, groups, a mixture


@pytest.mark.parametrize("name", zoo.shortened(zoo.POSTERIORDB, *QUICK))
def test_a_fit_matches_the_reference(name):
    assert_matches(name, scores(name, draws=2500))


@pytest.mark.slow
@pytest.mark.parametrize("name", zoo.POSTERIORDB)
def test_a_fit_matches_the_reference_on_a_closer_look(name):
    assert_matches(name, scores(name, draws=10_000, seed=2))
