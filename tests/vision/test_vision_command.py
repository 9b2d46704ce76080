"""Run the command that recognises images, as a user does."""

from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

import finetti as ft
from finetti.cli.commands import app

DIGITS = Path(__file__).parents[1] / "data" / "digits.npz"


@pytest.fixture
def files(tmp_path):
    with np.load(DIGITS) as held:
        learned = {"images": held["train_images"][::5], "labels": held["train_labels"][::5]}
    np.savez(tmp_path / "learned.npz", **learned)
    np.savez(tmp_path / "asked.npz", images=learned["images"][:2], labels=learned["labels"][:2])
    return tmp_path


def test_images_are_recognised_and_drawn(files):
    names = [str(files / name) for name in ("learned.npz", "asked.npz", "pictures")]
    run = CliRunner().invoke(app, ["vision", *names[:2], "--out", names[2]])
    assert run.exit_code == 0, run.output
    assert "2 of 2 are as labelled" in run.output
    assert sorted(path.name for path in Path(names[2]).iterdir()) == ["0.png", "1.png"]


def test_images_of_many_shapes_are_parsed_and_drawn(files):
    image = np.zeros((2, 28, 28))
    image[0, 4:24, 12:16] = image[1, 12:16, 4:24] = 255
    both = np.zeros((2, 30, 60))
    both[0, 1:29, 1:29], both[0, 1:29, 30:58] = image
    np.savez(files / "strokes.npz", images=image, labels=["upright", "level"])
    np.savez(files / "many.npz", images=both)
    names = [str(files / name) for name in ("strokes.npz", "many.npz", "pictures")]
    run = CliRunner().invoke(app, ["vision", "parse", *names[:2], "--out", names[2]])
    assert run.exit_code == 0, run.output
    assert [run.output.count(word) for word in ("upright", "level", "nothing")] == [1, 1, 1]
    assert sorted(path.name for path in Path(names[2]).iterdir()) == ["0.png", "1.png"]


def test_what_a_file_lacks_is_said(files):
    np.savez(files / "bare.npz", images=np.zeros((1, 28, 28)))
    arguments = ["vision", str(files / "bare.npz"), str(files / "asked.npz")]
    run = CliRunner().invoke(app, arguments)
    assert isinstance(run.exception, ft.DataError)
    assert "has no `labels`; it holds images" in str(run.exception)


def test_labels_of_another_shape_are_refused_and_blank_images_named(files):
    with np.load(files / "asked.npz") as held:
        images, labels = held["images"], held["labels"]
    np.savez(files / "column.npz", images=images, labels=labels[:, None])
    run = CliRunner().invoke(app, ["vision", str(files / "learned.npz"), str(files / "column.npz")])
    assert isinstance(run.exception, ft.DataError)
    assert "labels have shape (2, 1), for 2 images" in str(run.exception)
    np.savez(files / "blank.npz", images=np.stack([images[0], 0 * images[0]]), labels=labels)
    run = CliRunner().invoke(app, ["vision", str(files / "learned.npz"), str(files / "blank.npz")])
    assert run.exit_code == 0, run.output
    assert "nothing seen" in run.output
    assert "1 of 2 are as labelled" in run.output
