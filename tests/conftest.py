"""What holds for every test."""

import os

import torch

from snntorch._kernels.cpu import binding as cpu

# Tensors here are small: threads would cost more than they give, the more so where
# pytest-xdist runs a test on every core
torch.set_num_threads(1)

# `make sanitize` has a kernel of its own
cpu.FOLDER = os.environ.get("SNNTORCH_KERNEL", cpu.FOLDER)
