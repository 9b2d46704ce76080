"""Make hierarchical models at random, as code, and evaluate them without finetti.

`made(seed)` writes one of them; `reference` runs the same code with numpy and scipy in finetti's
and JAX's place.
"""

from zoo.made.written import Made, made

__all__ = ["Made", "made"]
