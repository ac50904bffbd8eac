"""What the reference and the README list, derived from what the package exports.

The docs build calls ``build("docs/api")`` before Sphinx looks for pages. By hand,
``python docs/reference.py`` prints the table of the README, which is static text because sites
that show it run nothing; ``tests/test_docs.py`` notices when it has to be pasted anew.
"""

from __future__ import annotations

import pkgutil
import re
from collections.abc import Callable
from importlib import import_module
from inspect import getdoc
from pathlib import Path
from textwrap import wrap
from types import ModuleType

from torch import nn

import snntorch as snn

STEP, RECURRENT = "Called once per time step", "Recurrent"
SEQUENCE, PARENTS = "Called once per sequence", "Base classes"

DEFECTS = Path(__file__).parents[1] / "tests" / "data" / "upstream_defects.md"
FIXED = """What snnTorch 1.0.0 does, and below it what is right, and what happens here. Each has a
reproduction in ``tests/data/upstream_defects.md``, and the tests run it."""


def family(cls: type[nn.Module]) -> str:
    """Return the heading under which a neuron stands."""
    if not hasattr(cls, "step"):
        return PARENTS if cls.forward is snn.SpikingNeuron.forward else SEQUENCE
    # spikes that come back are a state; an LSTM's weights take input and states in one
    return RECURRENT if cls.state_names[0] == "spk" or not cls.expands_input else STEP


def families() -> dict[str, list[str]]:
    """Return the names of all neurons by heading, those with fewer states first."""

    def size(name: str) -> tuple[int, str]:
        return len(getattr(getattr(snn, name), "state_names", ())), name

    found: dict[str, list[str]] = {STEP: [], RECURRENT: [], SEQUENCE: [], PARENTS: []}
    for name in sorted(snn._neurons.__all__, key=size):
        found[family(getattr(snn, name))].append(name)
    return found


def summaries(title: str, *paragraphs: str, **sections: list[str]) -> str:
    """Return a page that lists classes, each with the first sentence of its docstring."""
    lines = [title, "=" * len(title), *paragraphs, "", ".. currentmodule:: snntorch", ""]
    for heading, names in sections.items():
        lines += [heading, "-" * len(heading), ""] if heading else []
        lines += [".. autosummary::", "   :toctree: _generated", "   :nosignatures:", ""]
        lines += [*(f"   {name}" for name in names), ""]
    return "\n".join(lines)


def fixed() -> str:
    """Return the page of what was wrong in snnTorch 1.0.0, as its reproductions are recorded."""
    lines = ["What was fixed", "=" * 14, "", FIXED, ""]
    for section in re.split(r"^## ", DEFECTS.read_text(), flags=re.MULTILINE)[1:]:
        area, text = section.split("\n", 1)
        lines += [area.strip(), "-" * len(area.strip()), ""]
        for part in re.split(r"^### ", text, flags=re.MULTILINE)[1:]:
            title = re.match(r"`[\w-]+` \(\w+\): (.+)", part)
            right = re.search(r"^Correct: (.+)$", part, re.MULTILINE)
            if title is None or right is None:
                raise ValueError(f"{DEFECTS.name} expected a title and what is right, got {part!r}")
            lines += [f"*{literal(title[1])}*", f"   {as_rst(right[1])}", ""]
    return "\n".join(lines)


def literal(text: str) -> str:
    """Return text in which no character is markup."""
    return re.sub(r"([*`|\\_])", r"\\\1", text)


def as_rst(text: str) -> str:
    """Return a line of Markdown in reStructuredText."""
    parts = re.split(r"`([^`]+)`", text)
    return "".join(f"``{part}``" if i % 2 else literal(part) for i, part in enumerate(parts))


def pages() -> dict[str, str]:
    """Return the derived pages of the reference by file name."""
    between = "\nWhat stands between neurons, besides the layers of PyTorch."
    return {
        "neurons.rst": summaries("Neurons", **families()),
        "fixed.rst": fixed(),
        "layers.rst": summaries("Layers", between, **{"": snn._layers.__all__}),
    }


def first_sentence(documented: ModuleType | Callable[..., object]) -> str:
    """Return the first sentence of a docstring in what any renderer understands."""
    text = (getdoc(documented) or "").split("\n\n")[0].replace("\n", " ")
    return re.sub(r":\w+:`~?([\w.]+)`", r"``\1``", text)


def table() -> str:
    """Return the README's table of what is in the package."""
    classes = families()
    lists = {
        "Neurons called once per time step": classes[STEP],
        "recurrent": classes[RECURRENT],
        "called once per sequence": classes[SEQUENCE],
    }
    neurons = "; ".join(f"{what}: {listed(names)}" for what, names in lists.items())
    rows = {"snntorch": f"{neurons}. Layers: {listed(snn._layers.__all__)}."}
    functions = ("unroll", "fuse", "deferred", "plan", "profile")
    rows |= {f"snntorch.{name}": first_sentence(getattr(snn, name)) for name in functions}
    for module in pkgutil.iter_modules(snn.__path__, "snntorch."):
        if "._" not in module.name:
            rows[module.name] = first_sentence(import_module(module.name))
    wide = max(len(f"``{name}``") for name in rows)
    border = f"{'=' * wide}  {'=' * 74}"
    lines = [border]
    for name, text in rows.items():
        first, *rest = wrap(text, 74)
        lines += [f"{f'``{name}``':<{wide}}  {first}", *(f"{'':<{wide}}  {line}" for line in rest)]
    return "\n".join([*lines, border])


def listed(names: list[str]) -> str:
    """Return names as code, separated by commas."""
    return ", ".join(f"``{name}``" for name in names)


def build(folder: str | Path) -> None:
    """Write the derived pages, unless they are there as they should be."""
    for name, text in pages().items():
        path = Path(folder, name)
        if not path.exists() or path.read_text() != text:
            path.write_text(text)


if __name__ == "__main__":
    print(table())
