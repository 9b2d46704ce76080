"""Run the how-to, and check that it prints what it says."""

import contextlib
import io
import re
from pathlib import Path

HOWTO = Path(__file__).parents[2] / "docs" / "factors.md"


def test_the_howto_runs_and_prints_what_it_says():
    text = HOWTO.read_text(encoding="utf-8")
    names, printed = {}, io.StringIO()
    with contextlib.redirect_stdout(printed):
        for code in re.findall(r"```python\n(.*?)```", text, flags=re.DOTALL):
            exec(code, names)
    text = text.partition("## In a model")[0]
    said = re.findall(
        r"```\n(.*?)```", re.sub(r"```python\n.*?```", "", text, flags=re.DOTALL), flags=re.DOTALL
    )
    assert printed.getvalue() == "".join(said)
    assert len(said) == 2
    labelled = names["found"].labelled()
    assert labelled["pixel"].dims == ("row", "col", "pixel_state")
