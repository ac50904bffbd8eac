"""Neurons that no kernel knows: ``unroll``, which compiles their step, beside their loop.

A unit of work is forward and backward pass over a whole sequence. Rounds of all contenders are
interleaved, each coming first in turn, so that a machine whose speed drifts slows all alike; the
median of three counts. Spikes are compared first. Times of the loop, and of a loop of ``--chunk``
steps at a time under ``torch.compile``, are divided by those of ``unroll``.

    python benchmarks/own_neurons.py [--rounds 9] [--threads 1] [--chunk 10] [--device cuda]
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

import snntorch as snn
from snntorch import surrogate

Run = Callable[[Any, Tensor], Tensor]


class Resonator(snn.SpikingNeuron):
    """That of the page on neurons of one's own."""

    state_names = ("vel", "mem")

    def __init__(self) -> None:
        super().__init__()
        self.damping = nn.Parameter(torch.tensor(0.95))
        self.omega = nn.Parameter(torch.tensor(0.5))

    def step_parameters(self) -> dict[str, Tensor]:
        """Return those of the step."""
        return {"damping": self.damping, "omega": self.omega}

    @staticmethod
    def step(
        input_: Tensor, vel: Tensor, mem: Tensor, *, damping: Tensor, omega: Tensor
    ) -> tuple[Tensor, ...]:
        """Return both states."""
        vel = damping * (vel - omega * mem) + input_
        return vel, damping * mem + omega * vel


WIDE = surrogate.atan(alpha=0.1)
#: How each is made, and the size of its input.
NEURONS: dict[str, tuple[Callable[[], Any], float]] = {
    "Resonator": (Resonator, 1.0),
    "Izhikevich": (lambda: snn.Izhikevich(learn_a=True, spike_grad=WIDE), 30.0),
    "AdEx": (lambda: snn.AdEx(learn_a=True, dt=0.5, spike_grad=WIDE), 5000.0),
    "ALIF": (lambda: snn.ALIF(0.9, 0.99, learn_rho=True), 1.0),
}
#: Time steps, batch and neurons.
SHAPES = ((100, 128, 1000), (1000, 32, 128), (25, 8, 32))


def unrolled(neuron: Any, x: Tensor) -> Tensor:
    return neuron.unroll(x, record="spk")


def looped(neuron: Any, x: Tensor) -> Tensor:
    states, spikes = neuron.reset_mem(), []
    for step in x:
        spk, *states = neuron(step, *states)
        spikes.append(spk)
    return torch.stack(spikes)


def compiled(chunk: int) -> Run:
    """Return a loop over time whose body is so many compiled steps."""
    torch._dynamo.reset()  # noqa: SLF001

    @torch.compile(dynamic=False, fullgraph=True)
    def several(neuron: Any, x: Tensor, *states: Tensor) -> tuple[Tensor, ...]:
        spikes = []
        for step in x:
            spk, *states = neuron(step, *states)
            spikes.append(spk)
        return (torch.stack(spikes), *states)

    def run(neuron: Any, x: Tensor) -> Tensor:
        states = [torch.zeros_like(x[0]) for _ in neuron.state_names]
        parts = []
        for part in x.split(chunk):
            spk, *states = several(neuron, part, *states)
            parts.append(spk)
        return torch.cat(parts)

    return run


def seconds(run: Run, neuron: Any, x: Tensor) -> float:
    start = time.perf_counter()
    run(neuron, x).sum().backward()
    if x.is_cuda:
        torch.cuda.synchronize()
    return time.perf_counter() - start


def compare(name: str, shape: tuple[int, ...], rounds: int, chunk: int, device: str) -> str:
    """Return a row of times and ratios."""
    make, scale = NEURONS[name]
    neuron, x = make().to(device), (scale * torch.rand(shape, device=device)).requires_grad_()
    runs = [unrolled, looped, *([compiled(chunk)] if chunk else [])]
    first = []
    for run in runs:
        start = time.perf_counter()
        agree = (run(neuron, x) == looped(neuron, x)).float().mean()
        assert agree > 0.999, f"{name}: {agree} of the spikes"
        seconds(run, neuron, x)
        first.append(time.perf_counter() - start)
    assert 0.001 < looped(neuron, x).mean() < 0.9
    times = []
    for begin in range(rounds):
        order = [(begin + place) % len(runs) for place in range(len(runs))]
        took = {
            at: statistics.median(seconds(runs[at], neuron, x) for _ in range(3)) for at in order
        }
        times.append([took[at] for at in range(len(runs))])
    row = f"{name:11} {shape!s:16} {1e3 * statistics.median(t[0] for t in times):8.2f} ms"
    for at in range(1, len(runs)):
        low, middle, high = statistics.quantiles([t[at] / t[0] for t in times], n=4)
        row += f"   {middle:5.1f} ({low:.1f} ... {high:.1f})"
    return row + (f"   first call {first[2]:.0f} s" if chunk else "")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--chunk", type=int, default=0, help="steps to compile at a time; 0: none")
    parser.add_argument("--only", default=",".join(NEURONS))
    parser.add_argument("--device", default="cpu", choices=("cpu", "cuda"))
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    torch.manual_seed(0)
    tail = f"   compiled, {args.chunk} steps at a time" if args.chunk else ""
    print(f"{'neuron':11} {'steps, neurons':16} {'unroll':>11}   loop, quartiles{tail}")
    for name in args.only.split(","):
        for shape in SHAPES:
            print(compare(name, shape, args.rounds, args.chunk, args.device), flush=True)


if __name__ == "__main__":
    main()
