"""Check fits against the reference posteriors of posteriordb."""

import pytest

import finetti as ft
import zoo


def scores(name: str, draws: int, seed: int = 1) -> dict[str, float]:
    case = zoo.posteriordb(name)
    model, like = case.build(), None
    posterior = ft.fit(model, ft.NUTS(draws=draws), seed=seed, progress=False)
    if not all(known.independent for known in case.reference.values()):
        plan = model.plan().as_written()
        like = ft.fit(model, ft.NUTS(), seed=seed, plan=plan, progress=False)
    found = zoo.misses(posterior, case.reference, like)
    # a function of other sites that would only repeat radon's comparisons
    return {label: z for label, z in found.items() if "alpha_raw" not in label}


@pytest.mark.parametrize("name", zoo.POSTERIORDB)
def test_a_fit_matches_the_reference(name):
    found = scores(name, draws=2500)
    assert max(map(abs, found.values())) < 4, zoo.worst(found)


@pytest.mark.slow
@pytest.mark.parametrize("name", zoo.POSTERIORDB)
def test_a_fit_matches_the_reference_on_a_closer_look(name):
    found = scores(name, draws=10_000, seed=2)
    assert max(map(abs, found.values())) < 4, zoo.worst(found)
