"""The documentation: everything public has its place in the reference, examples run."""

import doctest
import importlib
import importlib.util
import pkgutil
import re
import runpy
import sys
from inspect import ismodule
from pathlib import Path
from textwrap import dedent
from typing import Any

import matplotlib as mpl
import matplotlib.pyplot as plt
import pytest
import torch
import torch.nn.functional as F
from torch import nn

import snntorch
import snntorch.functional as SF
import snntorch.spikeplot as splt
from snntorch._docs import shared_arguments
from tests import poptorch_standin

mpl.use("Agg")

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


#: Code that is shown rather than typed at a prompt: of pages, and of modules' docstrings.
SHOWN = re.compile(r"^ *\.\. code-block:: python\n\n((?:(?: +.*)?\n)+)", re.MULTILINE)
QUOTED = re.compile(r"^[^.\n].*::\n\n((?:(?: {4}.*)?\n)+)", re.MULTILINE)
#: What docstrings take for imported.
IMPORTED = {
    **{module.__name__.rpartition(".")[2]: module for module in (torch, nn, snntorch.backprop)},
    **{name: getattr(snntorch, name) for name in ("surrogate", "spikegen", "utils")},
    "snn": snntorch,
    "SF": SF,
    "probe": SF.probe,
    "splt": splt,
    "plt": plt,
    "F": F,
}
#: Pages whose blocks are files that another test puts where they belong, and what downloads data.
APART = {"contributing.rst", "snntorch.spikevision"}


def shown() -> dict[str, list[str]]:
    """Return the blocks of each page and module that shows some."""
    files = [ROOT / "README.rst", *DOCS.glob("*.rst"), *DOCS.glob("api/*.rst")]
    found = {file.name: SHOWN.findall(file.read_text()) for file in files}
    for module in pkgutil.walk_packages(snntorch.__path__, "snntorch."):
        if "._" not in module.name:
            doc = importlib.import_module(module.name).__doc__ or ""
            found[module.name] = QUOTED.findall(doc + "\n")
    return {
        name: [dedent(block) for block in blocks]
        for name, blocks in found.items()
        if blocks and name not in APART
    }


def around() -> dict[str, Any]:
    """Return what the blocks of docstrings take for granted."""
    plt.close("all")
    net = nn.Sequential(
        nn.Linear(784, 100),
        snntorch.Leaky(beta=0.9, init_hidden=True),
        nn.Linear(100, 10),
        snntorch.Leaky(beta=0.9, init_hidden=True, output=True),
    )
    data, targets = torch.rand(20, 4, 784), torch.randint(10, (4,))
    spikes = torch.bernoulli(data)
    spk_rec, mem_rec = snntorch.unroll(net, spikes)
    optimizer = torch.optim.Adam(net.parameters())
    train_loader = [(data[0], targets)]
    return IMPORTED | locals()


def test_blocks_are_found():
    assert {"README.rst", "ipu.rst", "snntorch.surrogate", "snntorch.backprop"} <= set(shown())


@pytest.mark.parametrize("name", shown())
def test_blocks_run(name, monkeypatch):
    monkeypatch.setitem(sys.modules, "poptorch", poptorch_standin.module())
    names = around()
    for block in shown()[name]:
        exec(compile(block, name, "exec"), names)


def test_a_dead_link_is_noticed(tmp_path):
    (tmp_path / "a.html").write_text('<p id="here"><a href="b.html#there">b</a><a href="#here">')
    (tmp_path / "b.html").write_text('<p id="there"><a href="a.html#gone"><img src="c.png">')
    check = runpy.run_path(str(DOCS / "links.py"))["dead"]
    assert check(tmp_path) == ["b.html: a.html#gone", "b.html: c.png"]


@pytest.mark.parametrize(
    ("latex", "rows"),
    [
        (r"a = b", 0),
        (r"a &= b \\ c &= d", 2),
        ("a\n\nb", 2),
        (r"\begin{aligned} a &= b \end{aligned}", 1),
    ],
)
def test_equations_are_mathml(latex, rows):
    mathml = runpy.run_path(str(DOCS / "equations.py"))["as_mathml"](latex, "block")
    assert mathml.startswith("<math")
    assert mathml.count("<mtr>") == rows
    assert "&" not in re.sub(r"&#x\w+;", "", mathml)
