"""The known defects of snnTorch 1.0.0, run exactly as they were recorded there.

Each reproduction of ``data/upstream_defects.md`` ends with ``defect``: true in 1.0.0,
and never here.
"""

from __future__ import annotations

import contextlib
import copy
import gc
import io
import os
import re
import sys
import tempfile
import weakref
from pathlib import Path
from typing import Any

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

import snntorch as snn
import snntorch.functional as SF
from snntorch import backprop, spikegen, surrogate, utils
from tests.distributed.gradients import ddp_hidden_states

mpl.use("Agg")

TEXT = (Path(__file__).parent / "data" / "upstream_defects.md").read_text()
#: The parts of the package that stand; each part that lands adds its area.
AREAS = (
    *("neurons", "surrogate", "utils", "layers", "packaging"),
    *("spikegen", "functional", "backprop", "spikeplot", "nir"),
    "spikevision",
)


def defects() -> list[Any]:
    """Return (id, code) of every recorded defect of the areas that stand."""
    found = []
    for section in re.split(r"^## ", TEXT, flags=re.MULTILINE)[1:]:
        area = section.split("\n", 1)[0].strip()
        if area in AREAS:
            blocks = re.findall(r"^### `([\w-]+)`.*?```python\n(.*?)```", section, re.M | re.S)
            found += [pytest.param(code, id=f"{area}-{name}") for name, code in blocks]
    return found


def raised(function: Any) -> str | None:
    """Return "ExceptionType: message" of a call, or None."""
    try:
        function()
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    return None


def quiet(function: Any) -> Any:
    """Call without letting it print."""
    with contextlib.redirect_stdout(io.StringIO()):
        return function()


def names() -> dict[str, Any]:
    """Return the names that the reproductions use."""
    return {
        "torch": torch,
        "nn": nn,
        "F": F,
        "np": np,
        "snn": snn,
        "surrogate": surrogate,
        "utils": utils,
        "copy": copy,
        "gc": gc,
        "io": io,
        "os": os,
        "sys": sys,
        "weakref": weakref,
        "tempfile": tempfile,
        "raised": raised,
        "quiet": quiet,
        "ddp_hidden_states": ddp_hidden_states,
        "spikegen": spikegen,
        "SF": SF,
        "quant": SF.quant,
        "probe": SF.probe,
        "stdp_learner": SF.stdp_learner,
        "backprop": backprop,
        "plt": plt,
        "fake_torchvision": lambda: None,  # is not needed
    }


@pytest.mark.filterwarnings("ignore:.*inhibition:UserWarning")
@pytest.mark.filterwarnings("ignore:snntorch.spikevision:DeprecationWarning")
@pytest.mark.parametrize("code", defects())
def test_the_defect_is_not_here(code: str) -> None:
    torch.manual_seed(0)
    space = names()
    exec(code, space)
    assert not space["defect"], space["observed"]


def test_the_runner_sees_a_defect() -> None:
    space = names()
    exec(
        re.search(r"### `zeros-noop`.*?```python\n(.*?)```", TEXT, re.S)
        .group(1)
        .replace("snn.Leaky(0.9).zeros(s)", "None"),
        space,
    )
    assert space["defect"]
