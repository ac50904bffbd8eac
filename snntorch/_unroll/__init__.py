"""Whole sequences: planner, kernels and their reference."""
