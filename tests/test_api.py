"""The released API: every public name, argument, order and default."""

from __future__ import annotations

import importlib
import inspect
import json
import pickle
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

API = json.loads((Path(__file__).parent / "data" / "api.json").read_text())
#: The modules that stand; each part that lands adds its own.
MODULES = (
    "snntorch",
    *(name for name in API if name.startswith(("snntorch._neurons", "snntorch._layers"))),
    *(name for name in API if name.startswith("snntorch.functional")),
    *("snntorch.surrogate", "snntorch.utils", "snntorch.spikegen"),
    *("snntorch.backprop", "snntorch.spikeplot"),
    *("snntorch.export_nir", "snntorch.import_nir"),
    "snntorch.spikevision",  # of which nothing was recorded, see test_spikevision
)
#: Defaults that are other than released, with the reason.
CHANGED_DEFAULTS = {
    ("GradedSpikes", "constant_factor"): "documented as optional, but required in 1.0.0",
}
NAMES = [
    pytest.param(module, name, id=f"{module}.{name}") for module in MODULES for name in API[module]
]


def signature(obj: Any) -> list[tuple[str, str, str | None]]:
    """Return (name, kind, default) of every argument."""
    found = []
    for parameter in inspect.signature(obj).parameters.values():
        empty = parameter.default is inspect.Parameter.empty
        found.append(
            (parameter.name, parameter.kind.name, None if empty else repr(parameter.default))
        )
    return found


@pytest.mark.parametrize(("module", "name"), NAMES)
def test_released_names_and_signatures(module: str, name: str) -> None:
    released = API[module][name]
    obj = getattr(importlib.import_module(module), name)
    for method in released.get("methods", ()):
        assert hasattr(obj, method), method
    if released["kind"] == "class" and "Function" in released.get("bases", ()):
        assert callable(obj.apply)
        return
    own = signature(obj)
    for position, (argument, kind, default) in enumerate(released["args"]):
        if default is not None and " at 0x" in default:
            continue  # a function's address
        assert own[position][:2] == (argument, kind)
        if (name, argument) not in CHANGED_DEFAULTS:
            assert own[position][2] == default
    for argument, kind, default in own[len(released["args"]) :]:
        assert kind == "KEYWORD_ONLY", f"{argument} is new, and shifts others"
        assert default is not None, f"{argument} is new and required"


@pytest.mark.parametrize(
    "module",
    [
        "snntorch.backprop",
        "snntorch.functional.stdp_learner",
        "snntorch.spikegen",
        "snntorch.surrogate",
    ],
)
def test_pickles_name_the_released_module(module: str) -> None:
    """Wherever in a package a name is written, other versions find it."""
    for name in importlib.import_module(module).__all__:
        obj = getattr(importlib.import_module(module), name)
        assert pickle.dumps(obj, 0).startswith(f"c{module}\n{name}\n".encode())


def test_import_is_light() -> None:
    """The package imports with torch and numpy alone."""
    heavy = ("matplotlib", "celluloid", "nir", "nirtorch", "tonic", "tqdm", "sklearn", "pandas")
    code = (
        "import sys\n"
        f"for name in {heavy!r}: sys.modules[name] = None\n"
        "import snntorch, snntorch.surrogate, snntorch.utils, snntorch.functional\n"
        "import snntorch.nir, snntorch.export, snntorch.export_nir, snntorch.import_nir\n"
        "import snntorch.spikevision, snntorch.spikevision.events_timeslices"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
