"""Take what is given as a picture for an array of numbers, or say what is wrong with it."""

from __future__ import annotations

import numpy as np

from finetti import DataError
from finetti.types import AnyArray, Float

NUMBERS = "biuf"
COLOURS = (3, 4)  # channels that pictures have, and hardly ever so few rows


def as_numbers(given: AnyArray, what: str) -> Float[np.ndarray, "..."]:
    """Return an array of numbers; `what` names it where it is none.

    Complex numbers, text and masked entries are refused: their other part would be lost.

    >>> as_numbers(np.array([[0, 255]]), "the image").tolist()
    [[0.0, 255.0]]
    """
    try:
        found = given if np.ma.isMaskedArray(given) else np.asarray(given)
        if found.dtype.kind == "O":  # numbers among other things
            found = np.asarray(found.tolist())
    except (TypeError, ValueError) as error:
        raise DataError(f"{what} is not an array of numbers: {error}") from error
    if found.dtype.kind not in NUMBERS:
        raise DataError(f"{what} is not an array of numbers: it holds {found.dtype}")
    if np.ma.is_masked(found):
        raise DataError(
            f"{what} is masked at {np.ma.count_masked(found)} of {found.size} numbers, and a mask "
            "is not read; cut a part out that has none, or say by `hidden` what is covered"
        )
    return np.asarray(found, float)


def refuse_channels_first(shape: tuple[int, ...], what: str) -> None:
    """Refuse a picture, (row, col, channel), whose channels seem to come before its rows."""
    first, _, last = shape
    if first in COLOURS and last > max(COLOURS):
        raise DataError(
            f"{what} has shape {shape}, which would be {first} rows of {last} channels; channels "
            "come last: np.moveaxis(image, 0, -1)"
        )
