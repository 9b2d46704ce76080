"""Hold the house in shape: its floors, its first lines, the size of its files."""

import ast
import subprocess
import sys
from collections import Counter
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import grimp
import pytest

ROOT = Path(__file__).resolve().parents[1]
SOURCE = ROOT / "src" / "finetti"
FILES = sorted(SOURCE.rglob("*.py"))
LONGEST_FILE = 350  # lines; a feel more than a law, but beyond it a file does two things

# A sentence that says what a file is for begins with its verb, never with one of these.
NO_VERBS = {"A", "An", "The", "This", "These", "Some", "Various", "Module", "File"}

each_file = pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(SOURCE)))


def first_line(file: Path) -> str:
    docstring = ast.get_docstring(ast.parse(file.read_text(encoding="utf-8")))
    return docstring.splitlines()[0] if docstring else ""


def test_lower_floors_never_import_higher_ones():
    linter = [Path(sys.executable).with_name("lint-imports"), "--no-cache"]
    run = subprocess.run(linter, cwd=ROOT, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stdout + run.stderr


def test_no_files_import_one_another_in_a_circle():
    """Late imports count, and those for annotations alone: a file can be read without the next."""
    graph = grimp.build_graph("finetti")
    imports = {m: graph.find_modules_directly_imported_by(m) for m in graph.modules}
    layers = TopologicalSorter(imports)
    try:
        layers.prepare()
    except CycleError as error:
        pytest.fail(" -> ".join(error.args[1]))


def test_files_of_tests_have_names_of_their_own():
    """Outside packages pytest imports them by that alone, and refuses the second of two alike."""
    files = (ROOT / "tests").rglob("test_*.py")
    names = Counter(f.name for f in files if not (f.parent / "__init__.py").exists())
    assert not [name for name, times in names.items() if times > 1]


@each_file
def test_opens_with_one_sentence_that_says_what_it_is_for(file):
    assert file.read_text(encoding="utf-8").startswith('"""'), "a file opens with its docstring"
    sentence = first_line(file)
    verb = sentence.partition(" ")[0]
    assert sentence.endswith("."), f"the first line is a whole sentence, not {sentence!r}"
    assert ". " not in sentence, f"the first line is one sentence, not {sentence!r}"
    assert verb[:1].isupper(), f"{sentence!r} begins with its verb"
    assert verb.isalpha(), f"{sentence!r} begins with its verb"
    assert verb not in NO_VERBS, f"{sentence!r} begins with its verb, not with {verb!r}"


@each_file
def test_is_short_enough_to_read_in_one_sitting(file):
    lines = len(file.read_text(encoding="utf-8").splitlines())
    assert lines <= LONGEST_FILE, f"{lines} lines do more than one thing: divide the file"
