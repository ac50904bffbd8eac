"""The documentation: everything public has its place in the reference, examples run."""

import doctest
import importlib
import importlib.util
import pkgutil
import re
from inspect import ismodule
from pathlib import Path

import pytest

import snntorch
from snntorch._docs import shared_arguments

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
PAGES = [page.name for page in sorted(DOCS.glob("*.rst")) if "\n>>> " in page.read_text()]
SPEC = importlib.util.spec_from_file_location("reference", DOCS / "reference.py")
reference = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(reference)
WRITTEN = {page.name: page.read_text() for page in (DOCS / "api").glob("*.rst")}
REFERENCE = "".join((WRITTEN | reference.pages()).values())


def undocumented(text: str) -> set[str]:
    """Return the modules and the names in ``snntorch`` that the reference does not list."""
    found = pkgutil.walk_packages(snntorch.__path__, "snntorch.")
    modules = {module.name for module in found if "._" not in module.name}
    listed = set(re.findall(r"^\.\. automodule:: (\S+)$", text, re.MULTILINE))
    summarized = set(re.findall(r"^   (\w+)$", text, re.MULTILINE))
    names = {name for name in snntorch.__all__ if not ismodule(getattr(snntorch, name))}
    return (modules - listed) | (names - summarized)


def test_reference_has_everything_public():
    assert undocumented(REFERENCE) == set()


def test_a_gap_in_the_reference_is_noticed():
    text = REFERENCE.replace("automodule:: snntorch.utils", "").replace("   Leaky\n", "")
    assert undocumented(text) == {"snntorch.utils", "Leaky"}


def test_the_readme_lists_what_the_package_exports():
    table = reference.table()
    assert table in (ROOT / "README.rst").read_text(), f"README.rst: paste this table\n\n{table}"


def test_shared_arguments_are_filled_in():
    modules = re.findall(r"^\.\. automodule:: (\S+)$", REFERENCE, re.MULTILINE)
    for module in map(importlib.import_module, ["snntorch", *modules]):
        for name in module.__all__:
            assert "{shared}" not in (getattr(module, name).__doc__ or ""), name


def test_shared_arguments_follow_the_signature():
    @shared_arguments({"y": "Ordinate.", "x": "Abscissa.", "own": "Of others.", "z": "Not taken."})
    def function(x, own, y):
        """Return.

        Args:
            own: Described here.
            {shared}
        """

    assert function.__doc__.splitlines()[2:] == [
        "Args:",
        "    own: Described here.",
        "    x: Abscissa.",
        "    y: Ordinate.",
    ]


def test_pages_have_examples():
    assert {"index.rst", "quickstart.rst"} <= set(PAGES)


@pytest.mark.parametrize("page", PAGES)
def test_examples_run(page):
    done = doctest.testfile(str(DOCS / page), module_relative=False, encoding="utf-8")
    assert done.attempted > 0
    assert done.failed == 0
