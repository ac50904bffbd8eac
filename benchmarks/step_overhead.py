"""What one call of a neuron costs beyond the plain PyTorch operations it needs.

Leaky on a small tensor ([128, 10]) is compared with its equation written as a bare
function: with and without gradients, forward alone and forward plus backward. Rounds of
both are interleaved, so that a machine whose speed drifts slows both alike.

    python benchmarks/step_overhead.py
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable

import torch
from torch import Tensor

import snntorch as snn
from snntorch import surrogate

Step = Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]


def plain_step(beta: Tensor, threshold: Tensor) -> Step:
    """Return Leaky's equation in plain operations, nothing around it."""
    spike_grad = surrogate.atan()

    def step(x: Tensor, mem: Tensor) -> tuple[Tensor, Tensor]:
        reset = mem > threshold
        mem = beta * mem + x - reset * threshold
        return spike_grad(mem - threshold), mem

    return step


def forward(step: Step, x: Tensor, mem: Tensor) -> None:
    step(x, mem)


def forward_backward(step: Step, x: Tensor, mem: Tensor) -> None:
    spk, _ = step(x, mem)
    spk.backward(torch.ones_like(spk))


def seconds(run: Callable[..., None], step: Step, x: Tensor, mem: Tensor, calls: int) -> float:
    """Return the mean time of one call."""
    start = time.perf_counter()
    for _ in range(calls):
        run(step, x, mem)
    return (time.perf_counter() - start) / calls


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=60)
    parser.add_argument("--calls", type=int, default=500)
    args = parser.parse_args()
    torch.set_num_threads(1)  # nothing here is large enough to share
    torch.manual_seed(0)
    lif = snn.Leaky(beta=0.9)
    plain = plain_step(torch.tensor(0.9), torch.tensor(1.0))
    x, mem = torch.randn(128, 10), torch.randn(128, 10)
    for one, other in zip(lif(x, mem), plain(x, mem), strict=True):
        assert torch.equal(one, other)
    cases = [
        ("no grad", forward, False),
        ("grad, forward", forward, True),
        ("grad, forward + backward", forward_backward, True),
    ]
    print(
        f"{'one step of Leaky, [128, 10]':28s} {'plain':>9s} {'snn.Leaky':>9s}   ratio (quartiles)"
    )
    for label, run, grad in cases:
        xs = x.clone().requires_grad_(grad)
        times: dict[str, list[float]] = {"plain": [], "leaky": []}
        with torch.set_grad_enabled(grad):
            for _ in range(args.rounds):
                for name, step in (("plain", plain), ("leaky", lif)):
                    times[name].append(seconds(run, step, xs, mem, args.calls))
        ratios = [b / a for a, b in zip(times["plain"], times["leaky"], strict=True)]
        low, middle, high = statistics.quantiles(ratios, n=4)
        micro = [statistics.median(t) * 1e6 for t in times.values()]
        print(
            f"{label:28s} {micro[0]:6.1f} us {micro[1]:6.1f} us   "
            f"{middle:.2f} ({low:.2f} ... {high:.2f})"
        )


if __name__ == "__main__":
    main()
