"""The tutorials: what every chapter has, and that running one tells whether it holds.

The chapters themselves run when the documentation is built, and by ``make tutorials``.
"""

from __future__ import annotations

import ast
import re
import runpy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jupytext
import pytest

TUTORIALS = Path(__file__).parents[1] / "tutorials"
CHAPTERS = sorted(TUTORIALS.glob("[0-9]*.py"))
INDEX = (TUTORIALS.parent / "docs" / "tutorials" / "index.rst").read_text()


def cells(path: Path, kind: str) -> list[str]:
    """Return the sources of the cells of a kind."""
    return [cell.source for cell in jupytext.read(path).cells if cell.cell_type == kind]


@pytest.mark.parametrize("path", CHAPTERS, ids=lambda path: path.stem)
def test_every_chapter(path: Path) -> None:
    text = "\n".join(cells(path, "markdown"))
    code = cells(path, "code")
    assert text.startswith("# "), "a title"
    assert text.count("**Think about it.**") >= 2, "two questions"
    assert text.count("<summary>Answer</summary>") >= 2, "with their answers"
    assert "**Try it.**" in text, "an exercise"
    assert "plt." in "".join(code), "a picture"
    asserts = [node for node in ast.walk(ast.parse(code[-1])) if isinstance(node, ast.Assert)]
    assert asserts, "the last cell asserts what was reached"
    if "load_digits" in "".join(code):
        assert "DOWNLOAD = False" in code[0], "the switch for the large data set"


@pytest.mark.parametrize("path", CHAPTERS, ids=lambda path: path.stem)
def test_links_between_chapters(path: Path) -> None:
    linked = re.findall(r"\]\((\w+)\.ipynb\)", "\n".join(cells(path, "markdown")))
    assert set(linked) <= {chapter.stem for chapter in CHAPTERS}
    assert linked, "what to read next"


def test_the_index_has_every_chapter() -> None:
    shown = set(re.findall(r"^   (\d\d)_\*$", INDEX, re.MULTILINE))
    assert shown == {path.stem[:2] for path in CHAPTERS}
    assert len(CHAPTERS) == 23


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., int]:
    """Return the command, with chapters in a folder of the test's."""
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    names: dict[str, Any] = runpy.run_path(str(TUTORIALS / "run.py"))
    main = names["main"]
    main.__globals__["HERE"] = tmp_path
    return lambda *args: main([*args, "--jobs", "1", "--out", str(tmp_path / "out")])


def test_a_failed_cell_fails(
    run: Callable[..., int], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    chapter = tmp_path / "01_reached.py"
    chapter.write_text("# %%\nreached = 0.9\nprint(f'reached {reached}')\nassert reached > 0.8\n")
    assert run("01_*") == 0
    printed = capsys.readouterr().out
    assert re.fullmatch(r"01_reached +\d+ s  reached 0\.9\n", printed)
    assert run() == 0  # read back, not run again: the same seconds
    assert capsys.readouterr().out == printed
    chapter.write_text(chapter.read_text().replace("0.8", "0.95"))
    assert run() == 1
    captured = capsys.readouterr()
    assert "FAILED" in captured.out
    assert "AssertionError" in captured.err
    with pytest.raises(SystemExit, match="expected one of 01_reached, but got '02_gone'"):
        run("02_gone")
