"""Nets as graphs of the Neuromorphic Intermediate Representation, and back."""
