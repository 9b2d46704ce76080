"""State which texts are expected: words of a list, or letters that follow one another.

What is expected is the message from above that characters get: log weights of the next character
given those before, which a reader adds to what the pixels say.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from finetti import DataError

State = tuple[str, ...] | str | None


class Expected(ABC):
    """Say how probable each next character of a text is, by an automaton that reads it."""

    @property
    @abstractmethod
    def start(self) -> State:
        """Return the state before the first character."""

    @abstractmethod
    def follow(self, state: State, label: str) -> list[tuple[State, float]]:
        """Return the states that a character can lead to, with its log probability each."""

    @abstractmethod
    def end(self, state: State) -> float:
        """Return the log probability that the text ends in a state."""

    def log_probability(self, labels: Sequence[str]) -> float:
        """Return that of a whole text, along its most probable way through the states."""
        states = {self.start: 0.0}
        for label in labels:
            after: dict[State, float] = {}
            for state, value in states.items():
                for new, weight in self.follow(state, label):
                    after[new] = max(after.get(new, -np.inf), value + weight)
            states = after
        return max((v + self.end(s) for s, v in states.items()), default=-np.inf)


@dataclass(frozen=True)
class Anything(Expected):
    """Expect nothing: every text is as good as any other, whatever its length."""

    @property
    def start(self) -> State:
        """Return the only state."""
        return None

    def follow(self, state: State, label: str) -> list[tuple[State, float]]:
        """Return the state, at no cost."""
        return [(None, 0.0)]

    def end(self, state: State) -> float:
        """Return 0."""
        return 0.0


@dataclass(frozen=True)
class Words(Expected):
    """Expect one of some words, and with probability `others` any text of any letters.

    `words` is a list, or maps words to how often they occur. A text of n characters that is no word
    has the probability `others` / 2 / (2 `letters`)^n: lengths halve, letters are equally probable.

    >>> words = Words(["rum", "ruin"], others=0.1)
    >>> round(float(np.exp(words.log_probability("rum"))), 3)
    0.45
    >>> bool(words.log_probability("rim") < words.log_probability("ruin"))
    True
    """

    words: Iterable[str] | Mapping[str, float]
    others: float = 0.05
    letters: int = 26
    shares: Mapping[str, float] = field(init=False, repr=False)
    prefixes: Mapping[str, float] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        if isinstance(self.words, str):
            raise DataError("words is one text; give a list of words, or words with their counts")
        given = self.words if isinstance(self.words, Mapping) else Counter(self.words)
        counts = {word: float(count) for word, count in given.items() if word}
        if not counts or not all(0 < c < np.inf for c in counts.values()):
            raise DataError("words are none, or some have no count above 0; give one word or more")
        if not 0 <= self.others < 1 or self.letters < 1:
            raise DataError(
                f"others is {self.others} and letters {self.letters}; give a probability from 0 to "
                "below 1, and 1 letter or more"
            )
        prefixes: Counter[str] = Counter()
        for word, count in counts.items():
            for i in range(len(word) + 1):
                prefixes[word[:i]] += count  # type: ignore[assignment]
        object.__setattr__(self, "shares", counts)
        object.__setattr__(self, "prefixes", dict(prefixes))

    @property
    def start(self) -> State:
        """Return the state before the first character: nothing read, word or not."""
        return ("",)

    def follow(self, state: State, label: str) -> list[tuple[State, float]]:
        """Return the longer prefix, and at the start a text that is no word."""
        found: list[tuple[State, float]] = []
        beginning = state == self.start
        if isinstance(state, tuple):
            prefix = state[0] + label
            if prefix in self.prefixes:
                weight = np.log(self.prefixes[prefix] / self.prefixes[state[0]])
                found.append(((prefix,), weight + (np.log1p(-self.others) if beginning else 0)))
        if self.others and (beginning or state == ""):
            weight = -np.log(2 * self.letters)
            found.append(("", weight + (np.log(self.others / 2) if beginning else 0)))
        return found

    def end(self, state: State) -> float:
        """Return the share of a prefix's words that end there."""
        if not isinstance(state, tuple):
            return 0.0
        share = self.shares.get(state[0], 0.0) / self.prefixes[state[0]]
        return float(np.log(share)) if share else -np.inf


@dataclass(frozen=True)
class Letters(Expected):
    """Expect each letter by the one before it, as often as in the texts that were given.

    `letters` are all that may occur. Each pair counts `more` than it was seen, so that none is
    impossible; ends and beginnings count as a letter.

    >>> pairs = Letters(["queen", "quiet", "aqua"], "aeinqtu")
    >>> pairs.log_probability("qu") > pairs.log_probability("qa")
    True
    """

    texts: Iterable[str]
    letters: str
    more: float = 0.1
    counts: Mapping[str, Counter[str]] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        if isinstance(self.texts, str):
            raise DataError("texts is one text; give a list of words, or lines")
        if not self.letters or not 0 < self.more < np.inf:
            raise DataError("letters are none, or `more` is not above 0; give letters and a number")
        counts: dict[str, Counter[str]] = {}
        for text in self.texts:
            for one, other in zip(("", *text), (*text, ""), strict=True):
                counts.setdefault(one, Counter())[other] += 1
        object.__setattr__(self, "counts", counts)

    @property
    def start(self) -> State:
        """Return the state before the first letter."""
        return ""

    def follow(self, state: State, label: str) -> list[tuple[State, float]]:
        """Return the letter as the next state."""
        return [(label, self._log(str(state), label))]

    def end(self, state: State) -> float:
        """Return the log probability that a text ends after a letter."""
        return self._log(str(state), "")

    def _log(self, one: str, other: str) -> float:
        seen = self.counts.get(one, Counter())
        total = seen.total() + self.more * (len(self.letters) + 1)
        return float(np.log((seen[other] + self.more) / total))
