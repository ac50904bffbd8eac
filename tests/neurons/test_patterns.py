"""Izhikevich and AdEx neurons fire in the patterns that their papers print.

The parameters, and the currents, are those of ``examples/firing_patterns.py``.
"""

from __future__ import annotations

import runpy
from itertools import pairwise
from pathlib import Path
from typing import Any

import matplotlib as mpl
import torch

mpl.use("Agg")
EXAMPLE: dict[str, Any] = runpy.run_path(
    str(Path(__file__).parents[2] / "examples" / "firing_patterns.py")
)
START, END = EXAMPLE["START"], EXAMPLE["END"]
BURST = 12.0  # ms: spikes that are closer belong together


def times(model: str, name: str) -> list[float]:
    """Return the times of spikes in ms, from the start of the current on."""
    at: torch.Tensor = EXAMPLE[model](name)[0] - START
    assert (at >= 0).all(), "silent until then"
    return at.tolist()


def between(at: list[float]) -> list[float]:
    return [later - earlier for earlier, later in pairwise(at)]


def bursts(at: list[float]) -> list[int]:
    """Return the number of spikes of each burst."""
    counts = [1]
    for gap in between(at):
        counts = [*counts[:-1], counts[-1] + 1] if gap < BURST else [*counts, 1]
    return counts


def is_regular(gaps: list[float], tolerance: float = 0.03) -> bool:
    return max(gaps) - min(gaps) < tolerance * max(gaps)


def rises(gaps: list[float]) -> bool:
    return all(later > earlier for earlier, later in pairwise(gaps))


# --- Izhikevich (2003), Figure 2 --------------------------------------------------------------


def test_regular_spiking_adapts_once() -> None:
    gaps = between(times("izhikevich", "regular spiking"))
    assert gaps[0] < 0.5 * gaps[1]
    assert is_regular(gaps[1:])
    assert 40 < gaps[-1] < 50


def test_intrinsically_bursting_begins_with_a_burst() -> None:
    at = times("izhikevich", "intrinsically bursting")
    first, *rest = bursts(at)
    assert first == 3
    assert set(rest) == {1}
    assert is_regular(between(at)[3:])


def test_chattering_bursts_again_and_again() -> None:
    counts = bursts(times("izhikevich", "chattering"))
    assert len(counts) > 6
    assert min(counts[:-1]) >= 4  # the last one is cut off


def test_fast_spiking_does_not_adapt() -> None:
    fast, slow = (times("izhikevich", n) for n in ("fast spiking", "regular spiking"))
    assert len(fast) > 4 * len(slow)
    assert is_regular(between(fast)[5:], 0.05)


def test_low_threshold_spiking_slows_down_from_a_high_rate() -> None:
    gaps = between(times("izhikevich", "low-threshold spiking"))
    assert rises(gaps[:6])
    assert gaps[0] < 0.3 * gaps[-1]
    assert is_regular(gaps[10:])


def test_thalamo_cortical_neurons_fire_tonically_or_rebound() -> None:
    tonic = between(times("izhikevich", "thalamo-cortical"))
    assert is_regular(tonic[6:], 0.05)
    released = times("izhikevich", "thalamo-cortical, rebound")
    assert bursts(released) == [3], "a burst, without a current, when it is let go"


def test_a_resonator_answers_to_its_rhythm() -> None:
    (one,) = times("izhikevich", "resonator")
    assert 290 < one < 320, "two pulses 40 ms apart make it fire, 24 ms apart they do not"


def test_its_pattern_is_in_the_numbers() -> None:
    """Negative control: the numbers of one class do not pass for those of another."""
    assert bursts(times("izhikevich", "regular spiking"))[0] == 1
    assert len(bursts(times("izhikevich", "fast spiking"))) == 1
    assert not is_regular(between(times("izhikevich", "chattering"))[1:])


# --- Naud, Marcille, Clopath, Gerstner (2008), Table 1 ----------------------------------------


def test_tonic() -> None:
    gaps = between(times("adex", "tonic"))
    assert is_regular(gaps, 0.1)
    assert len(gaps) > 40


def test_adaptation() -> None:
    gaps = between(times("adex", "adaptation"))
    assert rises(gaps)
    assert gaps[-1] > 5 * gaps[0]


def test_initial_burst() -> None:
    at = times("adex", "initial burst")
    assert bursts(at) == [3] + [1] * (len(at) - 3)
    assert is_regular(between(at)[3:])


def test_regular_bursting() -> None:
    counts = bursts(times("adex", "regular bursting"))
    assert counts == [3, 2, 2, 2]


def test_delayed_accelerating() -> None:
    at = times("adex", "delayed accelerating")
    assert rises(between(at)[14::-1]), "each interval is shorter than the one before"
    assert at[0] > between(at)[0]


def test_delayed_regular_bursting() -> None:
    at = times("adex", "delayed regular bursting")
    counts = bursts(at)
    assert at[0] > 50
    assert set(counts[:-1]) == {4}
    assert len(counts) >= 6


def test_transient_spiking() -> None:
    at = times("adex", "transient spiking")
    assert 1 <= len(at) <= 3
    assert at[-1] < 100, "then it is silent"


def test_irregular_spiking() -> None:
    gaps = torch.tensor(between(times("adex", "irregular spiking"))[4:])
    assert gaps.std() > 0.3 * gaps.mean()
    assert len(gaps) > 15
