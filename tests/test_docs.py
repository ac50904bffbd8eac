"""The documentation: everything public has its place in the reference, examples run."""

import doctest
import importlib
import pkgutil
import re
from inspect import ismodule
from pathlib import Path

import pytest

import snntorch
from snntorch._docs import shared_arguments

DOCS = Path(__file__).parents[1] / "docs"
PAGES = [page.name for page in sorted(DOCS.glob("*.rst")) if ">>>" in page.read_text()]
REFERENCE = "".join(page.read_text() for page in sorted((DOCS / "api").glob("*.rst")))


def undocumented(reference: str) -> set[str]:
    """Return the modules and the names in ``snntorch`` that no page of a reference lists."""
    found = pkgutil.walk_packages(snntorch.__path__, "snntorch.")
    modules = {module.name for module in found if "._" not in module.name}
    listed = set(re.findall(r"^\.\. automodule:: (\S+)$", reference, re.MULTILINE))
    summarized = set(re.findall(r"^   (\w+)$", reference, re.MULTILINE))
    names = {name for name in snntorch.__all__ if not ismodule(getattr(snntorch, name))}
    return (modules - listed) | (names - summarized)


def test_reference_has_everything_public():
    assert undocumented(REFERENCE) == set()


def test_a_gap_in_the_reference_is_noticed():
    reference = REFERENCE.replace("automodule:: snntorch.utils", "").replace("   Leaky\n", "")
    assert undocumented(reference) == {"snntorch.utils", "Leaky"}


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
