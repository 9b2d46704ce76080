"""A small table with a column of each kind, for formulas to speak of."""

import numpy as np
import pandas as pd


def table(rows: int = 60) -> pd.DataFrame:
    r = np.random.default_rng(8)
    d = pd.DataFrame(
        {
            "x": r.normal(5, 1, rows),
            "z": r.normal(size=rows),
            "f": r.choice(["a", "b", "c"], rows),
            "g": r.choice(list("pqrst"), rows),
            "h": r.choice(list("pqrst"), rows),
            "t": np.tile(np.arange(6), rows // 6),
            "k": r.integers(0, 4, rows),
            "n": r.integers(4, 9, rows),
            "w": r.uniform(0.5, 2, rows),
            "se": r.uniform(0.1, 0.5, rows),
        }
    )
    d["y"] = d.x - d.z + r.normal(size=rows)
    d["positive"] = np.exp(d.z)
    d["share"] = 1 / (1 + np.exp(-d.z))
    d["share_b"] = 1 - d["share"]
    d["count"] = r.poisson(2.0, rows)
    d["yes"] = r.choice(["N", "Y"], rows)
    d["wins"] = r.binomial(d.n, 0.4)
    d["grade"] = pd.Categorical(r.choice(["low", "mid", "high"], rows),
                                categories=["low", "mid", "high"], ordered=True)  # fmt: skip
    d["colour"] = r.choice(["blue", "green", "red"], rows)
    d["angle"] = r.uniform(-3, 3, rows)
    d["late"] = r.choice([0, 1], rows)
    d["kind"] = d.g.map(dict(zip("pqrst", "uvuvu", strict=True)))
    d["seen"] = r.choice(["none", "left", "right", "interval"], rows)
    d["until"] = np.where(d.seen == "interval", d.y + r.uniform(0.5, 3, rows), np.nan)
    return d
