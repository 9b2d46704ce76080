"""Hold the digits that tests of seeing learn from and are tried on."""

from pathlib import Path

import numpy as np

with np.load(Path(__file__).parents[1] / "data" / "digits.npz") as _held:
    DIGITS = {name: _held[name] for name in _held}
IMAGES, LABELS = DIGITS["train_images"], DIGITS["train_labels"]
