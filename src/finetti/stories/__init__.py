"""Tell stories of hierarchical models, from the data to a picture: `finetti demo --list`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path


@dataclass(frozen=True)
class Story:
    """Name a story: where it is told, and what it is about."""

    module: str
    about: str

    def tell(self, out: Path, seed: int) -> None:
        """Tell it, and write its picture under `out`."""
        main: Callable[[Path, int], object] = import_module(self.module).main
        main(out, seed)


STORIES = {
    "eight_schools": Story("finetti.demo", "what coaching does in eight schools, three answers"),
    "radon": Story("finetti.stories.radon", "radon in 919 homes: counties with one home, and many"),
    "sleepstudy": Story("finetti.stories.sleepstudy", "how sleep that lacks slows eighteen people"),
    "coal": Story("finetti.stories.coal", "when coal mines became safer, to the year"),
    "captcha": Story("finetti.stories.captcha", "reading digits that lean, touch and are crossed"),
    "lightness": Story("finetti.stories.lightness", "two equal greys that are not the same paint"),
}
