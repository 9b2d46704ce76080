"""Bring every command together: each of these modules adds its own to the app."""

from finetti.cli import (  # noqa: F401
    calibrate,
    check,
    compare,
    doctor,
    predict,
    report,
    resume,
    watch,
)
from finetti.cli.commands import app

__all__ = ["app"]
