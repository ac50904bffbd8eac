"""What holds for every test."""

import torch

# Tensors here are small: threads would cost more than they give, the more so where
# pytest-xdist runs a test on every core
torch.set_num_threads(1)
