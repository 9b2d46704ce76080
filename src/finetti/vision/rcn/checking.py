"""Check images, masks and labels as they come in, and compare labels one by one."""

from __future__ import annotations

import warnings
from collections.abc import Sequence

import numpy as np

from finetti import DataError
from finetti.types import AnyArray, Bool, Float
from finetti.vision.pictures import NUMBERS, as_numbers, refuse_channels_first

BRIGHTEST = 255


def checked(images: AnyArray, colour: bool = False) -> Float[AnyArray, "image row col ..."]:
    """Return images as numbers from 0 to 255, or say what is wrong with them.

    They are (image, row, col), or where `colour` is possible also (image, row, col, channel).
    """
    images = as_numbers(images, "the array of images")
    if images.ndim not in (3, 3 + colour) or not images.size:
        wanted = "(image, row, col)" + ", or with a channel after these" * colour
        raise DataError(f"images have shape {images.shape}; give {wanted}, at least one")
    if images.ndim == 4:
        refuse_channels_first(images.shape[1:], "each image")
    if not np.isfinite(images).all() or images.min() < 0 or images.max() > BRIGHTEST:
        raise DataError("images have values outside 0 to 255; scale them to that range")
    if 0 < images.max() <= 1:
        raise DataError("images run from 0 to 1 only; multiply them by 255")
    return images


def as_picture(image: AnyArray) -> Float[AnyArray, "row col channel"]:
    """Return one image, in colour or grey, with its channels last, or say what is wrong with it.

    >>> as_picture(np.zeros((28, 28))).shape
    (28, 28, 1)
    """
    image = as_numbers(image, "the image")
    if image.ndim not in (2, 3):
        raise DataError(
            f"the image has shape {image.shape}; give (row, col) or (row, col, channel)"
        )
    return checked(image[None] if image.ndim == 3 else image[None, ..., None], colour=True)[0]


def as_image(image: AnyArray) -> Float[AnyArray, "row col"]:
    """Return one image in grey as numbers from 0 to 255, or say what is wrong with it."""
    image = as_numbers(image, "the image")
    if image.ndim != 2:
        raise DataError(
            f"the image has shape {image.shape}; give one image, (row, col), in grey: of an image "
            "in colour one channel, or the mean of all"
        )
    return checked(image[None])[0]


def as_mask(hidden: AnyArray, image: tuple[int, ...]) -> Bool[AnyArray, "row col"]:
    """Return a mask as truth values, one a pixel, or say what is wrong with it.

    >>> as_mask(np.array([[0, 1]]), (1, 2)).tolist()
    [[False, True]]
    """
    given = np.asarray(hidden)
    if given.shape != image:
        raise DataError(
            f"hidden has shape {given.shape}, the image {image}; "
            "say of each pixel whether it is hidden"
        )
    if given.dtype.kind not in NUMBERS or not np.isin(given, (0, 1)).all():
        odd = given[~np.isin(given, (0, 1))].ravel()[:1].tolist() or [str(given.dtype)]
        raise DataError(
            f"hidden has the value {odd[0]!r}; give True or False, or 1 or 0, of each pixel: "
            "`hidden > 0.5` where it holds shares"
        )
    return given.astype(bool)


def as_labels(
    labels: AnyArray | Sequence[object], count: int, learned: AnyArray | None = None
) -> AnyArray:
    """Return labels, one an image, or say why they cannot be compared with those learned."""
    given = np.asarray(labels)
    if given.shape != (count,):
        raise DataError(
            f"labels have shape {given.shape}, for {count} images; give one label an image, "
            f"an array of shape ({count},)"
        )
    if learned is not None and given.size:
        texts = [np.asarray(x).dtype.kind not in NUMBERS + "O" for x in (given, learned)]
        if texts[0] != texts[1]:
            raise DataError(
                f"labels such as {given[0]!r} are never those that were learned, such as "
                f"{np.asarray(learned)[0]!r}: give both as numbers, or both as text"
            )
    return given


def refuse_strangers(labels: AnyArray, classes: AnyArray) -> None:
    """Say which label was never learned, if any."""
    known = np.isin(labels, classes)
    if not known.all():
        raise DataError(
            f"label {labels[~known].tolist()[0]!r} was never learned, and tells nothing of how "
            "sure to be; leave such images out"
        )


def warn_of_ties(found: Float[AnyArray, "image label"], stacklevel: int) -> None:
    """Warn of images whose best agreement several labels have, as the caller's caller's doing."""
    best = found.max(1, keepdims=True)
    tied = np.isfinite(best[:, 0]) & ((found == best).sum(1) > 1)
    if tied.any():
        which = ", ".join(map(str, np.flatnonzero(tied)[:5]))
        warnings.warn(
            f"{tied.sum()} images (such as {which}) agree equally with several labels, and are "
            "given the first in order; reject=0.5 gives them None",
            stacklevel=stacklevel,
        )


def right(found: AnyArray, labels: AnyArray | Sequence[object]) -> Bool[AnyArray, " image"]:
    """Tell of each image whether its label was found; where nothing was seen (None) it was not."""
    found = np.asarray(found)
    known = np.array([label for label in found.tolist() if label is not None])
    given = as_labels(labels, len(found), known if known.size else None)
    pairs = zip(found.tolist(), given.tolist(), strict=True)
    return np.array([one is not None and one == other for one, other in pairs], bool)
