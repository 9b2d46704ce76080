"""Turn agreements into probabilities: of each label, and of none that was learned.

An image shows label c with probability in proportion to exp(slope * g(a_c)), where a_c is the
agreement of the best of the label's shapes and g(a) = (a / 2)^4, straight on below 1, and nothing
that was learned in proportion to exp(slope * g(least)), times the odds that were expected of that.
So `least` is the agreement with which an image is as likely a stranger as not, and `slope` how fast
doubt vanishes on either side. The power is there because what agrees nearly wholly is hardly ever
wrong.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.optimize import minimize
from scipy.special import log_softmax, softmax

from finetti import DataError
from finetti.types import AnyArray, Float, Int

# What 200 digits gave, none learned from, where 1, 2, 5, 10 and 20 of each class were learned.
SLOPE, STEEPER = 8.8, 0.23
LEAST, HIGHER = 1.63, 0.05
POWER, KNEE = 4, 1.0
MOST = 100  # examples of a class: what more would give was not looked at
FEWEST = 10  # images to calibrate by
NEVER = -1e9  # log odds of strangers where none are expected


@dataclass(frozen=True)
class Sureness:
    """Hold how probabilities follow from agreements, which are 2 at best.

    >>> Sureness(slope=10.0, least=1.5).probabilities(np.array([[1.9, 1.5]]), 0.5).round(3)
    array([[0.986, 0.007, 0.007]])
    """

    slope: float
    least: float

    @staticmethod
    def usual(examples: float) -> Sureness:
        """Return what digits gave, where so many examples of a class were learned.

        Both rise slowly with their number.
        """
        examples = min(max(examples, 1), MOST)
        return Sureness(SLOPE * examples**STEEPER, LEAST + HIGHER * float(np.log(examples)))

    @staticmethod
    def learned(
        agreement: Float[AnyArray, "image label"], truth: Int[AnyArray, " image"], strangers: float
    ) -> Sureness:
        """Return the likeliest for images whose labels are known, none of them learned from.

        Each image counts twice: as what it is, and with its own label left out as a stranger.
        """
        each = np.arange(len(truth))
        without = agreement.copy()
        without[each, truth] = -np.inf

        def cost(at: Float[AnyArray, "2"]) -> float:
            found = Sureness(float(np.exp(at[0])), float(at[1]))
            known = found._logs(agreement, strangers)[each, truth]
            strange = found._logs(without, strangers)[:, -1]
            return -float((1 - strangers) * known.mean() + strangers * strange.mean())

        best = minimize(cost, [np.log(10.0), 1.7], method="Nelder-Mead").x
        return Sureness(float(np.exp(best[0])), float(best[1]))

    def probabilities(
        self, agreement: Float[AnyArray, "image label"], strangers: float
    ) -> Float[AnyArray, "image label_or_none"]:
        """Return the probability of each label, and last of none; `strangers` are expected."""
        return softmax(self._weights(agreement, strangers), axis=1)

    def _logs(self, agreement: AnyArray, strangers: float) -> AnyArray:
        return np.maximum(log_softmax(self._weights(agreement, strangers), axis=1), -50.0)

    def _weights(self, agreement: AnyArray, strangers: float) -> AnyArray:
        with np.errstate(divide="ignore"):
            odds = max(np.log(strangers) - np.log1p(-strangers), NEVER)
        none = np.full((len(agreement), 1), self.least)
        weights = self.slope * _steep(np.concatenate([agreement, none], 1))
        weights[:, -1] += odds
        return weights


def _steep(agreement: AnyArray) -> AnyArray:
    """Return g above; minus infinity, of what is no candidate, stays so."""
    bent = (np.maximum(agreement, KNEE) / 2) ** POWER
    return bent + np.minimum(agreement - KNEE, 0) * POWER / 2 * (KNEE / 2) ** (POWER - 1)


def share(name: str, value: object) -> float:
    """Return a share from 0 to below 1, or say what is wrong with it."""
    if isinstance(value, bool) or not isinstance(value, (int, float, np.number)):
        raise DataError(f"{name} is {value!r}; give a number from 0 to below 1")
    if not 0 <= value < 1:  # type: ignore[operator]
        raise DataError(f"{name} is {value!r}; give a number from 0 to below 1")
    return float(value)  # type: ignore[arg-type]
