"""Deferred execution: any net's time loop as written, run layer by layer over all of time."""
