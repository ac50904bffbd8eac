"""The firing patterns of the cortex, by two equations and some numbers.

    python examples/firing_patterns.py [--out firing_patterns.png]

Runs Izhikevich's neuron with the numbers of the paper (Izhikevich 2003, Figure 2), and the AdEx
neuron with those of Naud, Marcille, Clopath and Gerstner (2008, Table 1), each on a step of
current.
Prints the times between spikes of each, and draws the membrane potentials.
"""

from __future__ import annotations

import argparse

import matplotlib as mpl
import matplotlib.pyplot as plt
import torch
from torch import Tensor

import snntorch as snn

#: Name, numbers a, b, c, d, and the current from 100 ms on.
IZHIKEVICH = {
    "regular spiking": ((0.02, 0.2, -65, 8), 10),
    "intrinsically bursting": ((0.02, 0.2, -55, 4), 10),
    "chattering": ((0.02, 0.2, -50, 2), 10),
    "fast spiking": ((0.1, 0.2, -65, 2), 10),
    "low-threshold spiking": ((0.02, 0.25, -65, 2), 10),
    "thalamo-cortical": ((0.02, 0.25, -65, 0.05), 1.5),
    "thalamo-cortical, rebound": ((0.02, 0.25, -65, 0.05), 0),
    "resonator": ((0.1, 0.26, -65, 2), 0),
}
#: Name, C, g_L, E_L, V_T, Delta_T, a, tau_w, b, V_r, and the current.
ADEX = {
    "tonic": ((200, 10, -70, -50, 2, 2, 30, 0, -58), 500),
    "adaptation": ((200, 12, -70, -50, 2, 2, 300, 60, -58), 500),
    "initial burst": ((130, 18, -58, -50, 2, 4, 150, 120, -50), 400),
    "regular bursting": ((200, 10, -58, -50, 2, 2, 120, 100, -46), 210),
    "delayed accelerating": ((200, 12, -70, -50, 2, -10, 300, 0, -58), 300),
    "delayed regular bursting": ((100, 10, -65, -50, 2, -10, 90, 30, -47), 110),
    "transient spiking": ((100, 10, -65, -50, 2, 10, 90, 100, -47), 180),
    "irregular spiking": ((100, 12, -60, -50, 2, -11, 130, 30, -48), 160),
}
#: Time step, time to come to rest, which is not shown, and then: start of the current, end; in ms.
DT, REST, START, END = 0.1, 300.0, 100.0, 600.0


def steps(ms: float) -> int:
    """Return how many time steps it takes."""
    return round(ms / DT)


def current_of(name: str, level: float) -> Tensor:
    """Return the current of each time step, (time, 1)."""
    current = torch.zeros(steps(END), 1, dtype=torch.float64)
    current[steps(START) :] = level
    if name.endswith("rebound"):
        current[: steps(START)] = -10  # held, and released
    if name == "resonator":  # pairs of pulses: only the second pair is in its rhythm
        for begin in (START + 50, START + 74, START + 250, START + 290):
            current[steps(begin) : steps(begin + 2)] = 1.2
    return torch.cat([current.new_zeros(steps(REST), 1), current])


def izhikevich(name: str) -> tuple[Tensor, Tensor]:
    """Return times of spikes in ms, and the membrane potential in mV."""
    numbers, level = IZHIKEVICH[name]
    neuron = snn.Izhikevich(*numbers, dt=DT).double()
    spk, _, mem = (one[steps(REST) :, 0] for one in neuron.unroll(current_of(name, level)))
    return spk.nonzero()[:, 0] * DT, mem.clamp(max=100) - 70


def adex(name: str) -> tuple[Tensor, Tensor]:
    """Return times of spikes in ms, and the membrane potential in mV."""
    (C, g_L, E_L, V_T, Delta_T, a, tau_w, b, V_r), level = ADEX[name]
    neuron = snn.AdEx(C, g_L, E_L, V_T, Delta_T, tau_w, a, b, V_r, dt=DT).double()
    spk, _, mem = (one[steps(REST) :, 0] for one in neuron.unroll(current_of(name, level)))
    shown = torch.where(spk > 0, 20.0, mem + E_L)  # the upswing goes on to 20 mV
    return spk.nonzero()[:, 0] * DT, shown


def main() -> None:
    """Print the patterns and draw them."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", default="firing_patterns.png", help="where to save the picture")
    args = parser.parse_args()
    mpl.use("Agg")
    figure, axes = plt.subplots(8, 2, figsize=(10, 11), sharex=True, layout="constrained")
    for column, (title, run, table) in enumerate(
        (("Izhikevich", izhikevich, IZHIKEVICH), ("AdEx", adex, ADEX))
    ):
        for axis, name in zip(axes[:, column], table, strict=True):
            times, mem = run(name)
            between = " ".join(f"{one:.0f}" for one in torch.diff(times).tolist()[:12])
            print(f"{title:10}  {name:25}  {len(times):3} spikes, {between} ms apart")
            axis.plot(torch.arange(len(mem)) * DT, mem, linewidth=0.8, color="black")
            axis.set_title(name, loc="left", fontsize=9)
            axis.set_ylim(-95, 40)
            axis.tick_params(labelsize=8)
            axis.spines[["top", "right"]].set_visible(False)
        axes[0, column].set_title(f"{title}: {next(iter(table))}", loc="left", fontsize=9)
        axes[-1, column].set_xlabel("time (ms)", fontsize=9)
    figure.supylabel("membrane potential (mV)", fontsize=9)
    figure.savefig(args.out, dpi=80)
    print(f"saved {args.out}")


if __name__ == "__main__":
    main()
