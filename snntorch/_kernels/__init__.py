"""Kernels of the recurrence: they know tensors, and never a neuron."""
