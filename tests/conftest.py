"""What holds for every test."""

import os

import pytest
import torch
from hypothesis import Phase, settings

from snntorch._kernels.cpu import library

# Tensors here are small: threads would cost more than they give, the more so where
# pytest-xdist runs a test on every core
torch.set_num_threads(1)

# The same examples on every machine; `make fuzz` looks for others
always = {"deadline": None, "database": None, "phases": (Phase.generate, Phase.shrink)}
settings.register_profile("gate", derandomize=True, max_examples=100, **always)
settings.register_profile("fuzz", print_blob=True, max_examples=2000, **always)
settings.load_profile("gate")

# `make sanitize` has a kernel of its own
library.FOLDER = os.environ.get("SNNTORCH_KERNEL", library.FOLDER)


@pytest.fixture
def kernel_steps(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """List the calls of the compiled kernel, so that a test can tell which path ran."""
    calls: list[str] = []
    call = library.Library.call

    def counted(known: library.Library, name: str, args: bytes) -> None:
        calls.append(name)
        call(known, name, args)

    monkeypatch.setattr(library.Library, "call", counted)
    return calls
