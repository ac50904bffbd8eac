"""What holds for every test."""

import os

import pytest
import torch

from snntorch._kernels.cpu import binding as cpu

# Tensors here are small: threads would cost more than they give, the more so where
# pytest-xdist runs a test on every core
torch.set_num_threads(1)

# `make sanitize` has a kernel of its own
cpu.FOLDER = os.environ.get("SNNTORCH_KERNEL", cpu.FOLDER)


@pytest.fixture
def kernel_steps(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """List the calls of the compiled kernel, so that a test can tell which path ran."""
    calls: list[str] = []
    call = cpu._call

    def counted(name: str, args: bytes) -> None:
        calls.append(name)
        call(name, args)

    monkeypatch.setattr(cpu, "_call", counted)
    return calls
