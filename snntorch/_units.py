"""Numbers with a unit, as people read them."""

from __future__ import annotations

#: Prefixes of units by their size, the largest first.
_PREFIXES = {1e9: "G", 1e6: "M", 1e3: "k", 1.0: "", 1e-3: "m", 1e-6: "µ", 1e-9: "n", 1e-12: "p"}


def prefix_of(value: float) -> tuple[float, str]:
    """Return the size and the name of the prefix with which a number is read best."""
    scale = next((size for size in _PREFIXES if float(f"{value:.3g}") >= size), 1e-12)
    return scale, _PREFIXES[scale]


def with_unit(value: float, unit: str) -> str:
    """Return a number with three digits and a prefix of its unit; nothing for zero."""
    if not value:
        return ""
    scale, prefix = prefix_of(value)
    return f"{value / scale:.3g} {prefix}{unit}"
