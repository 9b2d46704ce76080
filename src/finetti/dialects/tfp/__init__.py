"""Stand in for TensorFlow Probability: distributions, bijectors, chains, and optimisers."""

from typing import Any

from finetti.dialects.tfp import bijectors, distributions, math, mcmc, optimizer

__all__ = ["bijectors", "distributions", "math", "mcmc", "optimizer"]


def __getattr__(name: str) -> Any:
    """Say of what is not imitated that it is not."""
    raise AttributeError(
        f"tfp.{name} is not imitated: finetti stands in for {', '.join(__all__)} of TensorFlow "
        f"Probability, as docs/dialects.md lists"
    )
