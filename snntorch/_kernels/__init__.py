"""Kernels for whole sequences and for steps: they know tensors, and never a neuron."""
