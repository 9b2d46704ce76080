"""Check that a run whose process is killed, wherever it was, gives the draws of an unbroken one."""

import pytest

from store.killed import survivor, unbroken
from store.processes import RUNS

KILLS = 5  # of each run in the long tests


def test_a_run_survives_kills_at_random_moments(tmp_path):
    found, died = survivor(tmp_path, "nuts", 2, seed=1)
    assert died >= 1
    assert found == unbroken(tmp_path, "nuts")


@pytest.mark.slow
@pytest.mark.parametrize("name", RUNS)
def test_every_kind_of_run_survives_kills_at_random_moments(tmp_path, name):
    found, died = survivor(tmp_path, name, KILLS, seed=2)
    assert died >= 1
    assert found == unbroken(tmp_path, name)
