"""Who imports whom: each part of the package knows only the parts below it."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import snntorch

ROOT = Path(snntorch.__file__).parent
#: The parts from the bottom up; those of one line may know each other.
LAYERS = (
    ("_checks", "_docs", "_files", "_torch", "_units"),
    ("surrogate", "spikevision"),
    ("_kernels",),
    ("_neurons", "_layers"),
    ("_unroll", "utils", "spikegen", "weight_init"),
    ("functional", "_profile", "testing"),
    ("backprop", "spikeplot", "pretrained"),
    ("_nir",),
    ("export_nir", "import_nir", "nir"),
    ("export",),
)
HEIGHT = {part: height for height, parts in enumerate(LAYERS) for part in parts}


def imported(path: Path) -> Iterator[str]:
    """Yield the parts of the package that a file imports, for type checking, too."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"{path}: a relative import"
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        else:
            continue
        yield from (name.split(".")[1] for name in names if name.startswith("snntorch."))


FILES = [path for path in sorted(ROOT.rglob("*.py")) if path != ROOT / "__init__.py"]


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_imports_point_down(path: Path) -> None:
    part = path.relative_to(ROOT).parts[0].removesuffix(".py")
    for other in imported(path):
        assert HEIGHT[other] <= HEIGHT[part], f"{part} imports {other}"


def test_kernels_know_no_neuron() -> None:
    assert HEIGHT["_kernels"] < HEIGHT["_neurons"]
    for path in (ROOT / "_kernels").rglob("*.py"):
        assert "SpikingNeuron" not in path.read_text(), path


def test_an_arrow_that_points_up_is_found(tmp_path: Path) -> None:
    file = tmp_path / "wrong.py"
    file.write_text("if TYPE_CHECKING:\n    from snntorch._neurons.leaky import Leaky\n")
    assert list(imported(file)) == ["_neurons"]
