"""The walk-throughs of ``docs/contributing.rst``: followed in a copy of the sources, they work."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from textwrap import dedent

import pytest

import snntorch
from snntorch._kernels.cpu import binding as cpu

ROOT = Path(snntorch.__file__).parents[1]
PAGE = (ROOT / "docs/contributing.rst").read_text()
#: Kind, file and text of every block of code that is to be put somewhere.
BLOCK = re.compile(
    r"^\.\. code-block:: (python|diff)\n   :caption: (\S+)\n\n((?:(?: {3}.*)?\n)+)", re.MULTILINE
)
#: The table of the README.
TABLE = re.compile(r"^={9,}  ={9,}\n(?s:.+)^={9,}  ={9,}\n", re.MULTILINE)
COPIED = ("snntorch", "tests", "docs", "README.rst", "pyproject.toml", "setup.py")


def section(title: str) -> str:
    """Return what stands under a heading of the page."""
    return re.split(r"\n(?=.+\n-+\n)", PAGE.split(f"\n{title}\n{'-' * len(title)}\n")[1])[0]


def patched(text: str, diff: str) -> str:
    """Return a file's text after a diff without line numbers, whose contexts occur once each."""
    for hunk in diff.split("@@\n"):
        lines = hunk.splitlines(keepends=True)
        old = "".join(line[1:] for line in lines if line[0] != "+")
        new = "".join(line[1:] for line in lines if line[0] != "-")
        assert text.count(old) == 1, f"docs/contributing.rst shows what is not there:\n{old}"
        text = text.replace(old, new)
    return text


def follow(title: str, root: Path) -> None:
    """Do in a copy of the sources what a walk-through says."""
    ignored = shutil.ignore_patterns("__pycache__", "_build", "_generated", "_gallery")
    for name in COPIED:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, root / name, ignore=ignored)
        else:
            shutil.copy(source, root / name)
    blocks = BLOCK.findall(section(title))
    assert len(blocks) > 1
    for kind, name, block in blocks:
        path, text = root / name, dedent(block).strip("\n") + "\n"
        if kind == "diff":
            path.write_text(patched(path.read_text(), text))
        else:  # a new file, or what to add to one
            before = path.read_text() + "\n\n" if path.exists() else ""
            path.write_text(before + text)


def run(root: Path, *command: str, **environment: str) -> str:
    """Run a Python command in the copy; return what it prints."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("SNNTORCH", "PYTEST"))}
    done = subprocess.run(
        [sys.executable, *command],
        cwd=root,
        env=kept | {"PYTHONPATH": str(root)} | environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-4000:]
    return done.stdout


def passed(root: Path, name: str, *files: str) -> int:
    """Return how many tests with a name pass, if all do."""
    options = ("-p", "no:cacheprovider", "-p", "no:xdist")
    out = run(root, "-m", "pytest", *options, "-k", name, *files)
    return int(re.findall(r"(\d+) passed", out)[-1])


def test_a_neuron(tmp_path: Path) -> None:
    follow("Add a neuron", tmp_path)
    readme, table = tmp_path / "README.rst", run(tmp_path, "docs/reference.py")
    assert "``TauLeaky``" in table
    readme.write_text(TABLE.sub(table, readme.read_text()))
    files = ("test_docs.py", "test_components.py", "test_testing.py", "neurons/test_contract.py")
    tests = [f"tests/{name}" for name in (*files, "unroll/test_step.py")]
    tests.append("snntorch/_neurons/tauleaky.py")
    assert passed(tmp_path, "TauLeaky or readme_lists", *tests) > 60


@pytest.mark.skipif(cpu.available() is not None, reason=f"no kernel: {cpu.available()}")
def test_a_surrogate(tmp_path: Path) -> None:
    follow("Add a surrogate", tmp_path)
    run(tmp_path, "setup.py", "build_ext", "--inplace")
    files = ("test_components.py", "test_surrogate.py", "unroll/test_native.py")
    tests = [f"tests/{name}" for name in (*files, "unroll/test_step.py")]
    assert passed(tmp_path, "gaussian", *tests) > 20
    if sys.platform.startswith("linux"):
        run(tmp_path, "-c", INTERPRETED, TRITON_INTERPRET="1")


#: Runs the Triton kernels on the new surrogate.
INTERPRETED = """
from tests.unroll.test_triton import GROUPS, failures
cases = [case for case in GROUPS["surrogates"] if case.spike_grad.name == "gaussian"]
assert len(cases) == 2
assert failures(cases, "cpu") == []
"""


def test_a_diff_that_does_not_fit_is_noticed() -> None:
    assert patched("a\nb\n", " a\n+c\n b\n") == "a\nc\nb\n"
    assert patched("a\nb\n", "-a\n b\n@@\n b\n+c\n") == "b\nc\n"
    with pytest.raises(AssertionError, match="what is not there"):
        patched("a\nd\n", " a\n+c\n b\n")
