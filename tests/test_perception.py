"""Check the small demonstrations of perception against Bayes' rule and enumeration."""

import importlib
import sys
from pathlib import Path

import numpy as np
import pytest

FOLDER = Path(__file__).parents[1] / "examples" / "perception"


@pytest.fixture
def example(monkeypatch):
    """Return a function that imports one of the programs as if run in its folder."""
    monkeypatch.syspath_prepend(FOLDER)

    def load(name):
        monkeypatch.delitem(sys.modules, name, raising=False)
        return importlib.import_module(name)

    return load


@pytest.mark.slow
def test_context_makes_a_letter_or_a_number_of_one_glyph(example, tmp_path):
    switches = np.array([0.05, 0.3])
    found = example("context").main(tmp_path, switches)
    letter = (1 - switches) ** 2 / ((1 - switches) ** 2 + switches**2)
    np.testing.assert_allclose(found["A ? C"], letter, rtol=1e-9)
    np.testing.assert_allclose(found["12 ? 14"], 1 - letter, rtol=1e-9)
    assert (tmp_path / "context.png").exists()


def test_messages_between_levels_give_what_enumeration_gives(example, tmp_path):
    levels = example("levels")
    found, known = levels.main(tmp_path), levels.enumerated()
    for level, (below, above) in levels.by_level().items():
        np.testing.assert_allclose(found[level], known[level], rtol=1e-9)
        np.testing.assert_allclose(found[level], below * above / (below @ above), rtol=1e-9)
    assert (tmp_path / "levels.png").exists()


@pytest.mark.slow
def test_equal_greys_are_seen_as_different_paints(example, tmp_path):
    found = example("reflectance").main(tmp_path, check=2, draws=50)
    assert found.image.shape == (12, 12)
    assert (tmp_path / "scene_checks.png").exists()
