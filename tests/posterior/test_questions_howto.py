"""Run the page on questions as it stands, on fewer draws."""

import re
from pathlib import Path

import pytest

import finetti as ft

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "questions.md").read_text(encoding="utf-8")


@pytest.mark.slow
def test_every_statement_of_the_page_runs(monkeypatch):
    monkeypatch.chdir(ROOT)
    monkeypatch.syspath_prepend(str(ROOT / "examples"))
    (ROOT / "runs").mkdir(exist_ok=True)
    names = {}
    for code in re.findall(r"```python\n(.*?)```", PAGE, flags=re.DOTALL):
        few = code.replace("ft.fit(model,", "ft.fit(model, ft.NUTS(draws=200, warmup=200),")
        exec(few, names)
    assert isinstance(names["posterior"], ft.Posterior)
    assert names["found"].ranks["best"].sum() == pytest.approx(1)
