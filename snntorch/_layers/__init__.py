"""Layers around the neurons."""
