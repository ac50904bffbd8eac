"""Whole sequences: ``snn.unroll`` against step loops and other packages.

    make bench                                  # makes an environment with the peers
    python benchmarks/sequences.py --only W1,T --rounds 7 --json out/sequences.json

Every contender's spikes and gradients are compared with this package's before anything is
timed. Each round then runs all contenders of a workload, in random order, so that a machine
whose speed drifts slows all alike; ratios are taken within a round. As in a training loop,
what is timed follows an untimed call of the same contender. Nets without their neurons are a
floor: what is left when neurons take no time at all. Times are medians, brackets hold the
quartiles. "Copies" counts how many copies of the stated record
(read once, written once, between used buffers) would take the same time: a layer's forward
and backward pass must at least read its input and write its spikes, then read their
gradient and the input and write the input's gradient, which is two and a half copies.
Peak memory is what a first run adds to the resident memory of a fresh process.

A machine that other programs share misleads thread pools: use ``--threads 1`` there.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import json
import platform
import random
from pathlib import Path
from typing import Any

import torch
from contenders import STEPS, UNROLL, Contender
from measure import (
    Released,
    check,
    interleave,
    memcpy,
    our_outputs,
    own_peak_memory,
    peak_memory,
    quartiles,
    ratios,
    serve,
    start,
    timer,
)
from workloads import WORKLOADS, Workload, scaled

SCALING = {
    "T": ("time steps, 1280 neurons", [(steps, 1280) for steps in (10, 100, 1_000, 10_000)]),
    "N": ("neurons, T=10", [(10, 10**power) for power in range(2, 8)]),
}


def shown(seconds: float) -> str:
    return f"{seconds * 1e3:.2f} ms" if seconds >= 1e-3 else f"{seconds * 1e6:.1f} us"


def spread(values: list[float]) -> str:
    low, middle, high = values
    return f"{middle:.2f} ({low:.2f} ... {high:.2f})"


def table(header: list[str], rows: list[list[str]]) -> str:
    """Return a reStructuredText table."""
    widths = [max(map(len, column)) for column in zip(header, *rows, strict=True)]
    rule = "  ".join("=" * width for width in widths)
    lines = ["  ".join(map(str.ljust, row, widths)).rstrip() for row in (header, *rows)]
    return "\n".join([rule, lines[0], rule, *lines[1:], rule])


def compare(name: str, workload: Workload, rounds: int, python: str | None) -> dict[str, Any]:
    """Check, time and print one workload; return what was measured."""
    found = {c.name: check(c, workload) for c in workload.contenders}
    our_outputs.cache_clear()
    memory = {c.name: peak_memory(name, c.name) for c in workload.contenders if workload.memory}
    runs = {c.name: start(c, workload) for c in workload.contenders}
    timers = {contender: timer(run, workload.calls) for contender, run in runs.items()}
    released = Released(python, name, workload) if python else None
    if released:
        found[released.name] = released.check()
        timers[released.name] = released
        if workload.memory:
            memory[released.name] = peak_memory(name, STEPS.name, python)
    if workload.copied:
        timers["memcpy"] = memcpy(workload.copied)
    times = interleave(timers, rounds)
    if released:
        released.close()
    base = times[workload.contenders[0].name]
    rows = []
    for contender, seconds in times.items():
        low, middle, high = quartiles(seconds)
        copies = ratios(seconds, times["memcpy"])[1] if workload.copied else None
        peak = memory.get(contender)
        rows.append(
            [
                contender,
                f"{shown(middle)} ({shown(low)} ... {shown(high)})",
                spread(ratios(seconds, base)),
                "" if copies is None else f"{copies:.1f}",
                "" if peak is None else f"{peak / 1e6:.0f} MB",
                found.get(contender, ""),
            ]
        )
    print(f"\n{name}: {workload.title}\n")
    first = "to " + workload.contenders[0].name
    print(table(["contender", "time", first, "copies", "peak memory", "compared with ours"], rows))
    if workload.copied:
        size = 4 * workload.copied / 1e6
        print(f"\nOne copy: {workload.copied_as}, {size:.1f} MB read and {size:.1f} MB written.")
    for contender, run in runs.items():
        if contender == UNROLL.name:
            print("\n" + run.net.plan())
    return {"title": workload.title, "seconds": times, "peak_bytes": memory, "found": found}


def scale(name: str, rounds: int) -> dict[str, Any]:
    """Time and print one layer in growing sizes; return what was measured."""
    title, sizes = SCALING[name]
    print(f"\n{name}: cost of one layer's forward and backward pass by {title}\n")
    rows, measured = [], {}
    for steps, neurons in sizes:
        workload = scaled(steps, neurons)
        seconds = timer(start(UNROLL, workload), workload.calls)
        times = interleave({UNROLL.name: seconds}, rounds)[UNROLL.name]
        each = [1e9 * value / (steps * neurons) for value in quartiles(times)]
        rows.append([f"{steps:,}", f"{neurons:,}", shown(quartiles(times)[1]), spread(each)])
        measured[f"{steps} x {neurons}"] = times
    print(table(["time steps", "neurons", "time", "ns per neuron and step"], rows))
    return {"title": title, "seconds": measured}


def chosen(only: str) -> list[str]:
    """Return the workloads that ``only`` names; W5 also stands for W5-grad and W5-nograd."""
    known = [*WORKLOADS, *SCALING]
    names = set(known if not only else ())
    for wanted in filter(None, only.split(",")):
        found = {name for name in known if name == wanted or name.startswith(wanted + "-")}
        if not found:
            raise SystemExit(f"--only expected some of {', '.join(known)}, but got {wanted!r}")
        names |= found
    return [name for name in known if name in names]


def machine() -> dict[str, Any]:
    """Return what the numbers were measured with."""
    versions = {}
    for package in ("torch", "snntorch", "spikingjelly", "norse", "sinabs"):
        try:
            versions[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            continue
    cpu = Path("/proc/cpuinfo")
    lines = cpu.read_text().splitlines() if cpu.exists() else []
    model = next((ln.split(":")[1].strip() for ln in lines if ln.startswith("model name")), "")
    return {
        "processor": model or platform.processor(),
        "threads": torch.get_num_threads(),
        "python": platform.python_version(),
        **versions,
    }


def by_name(workload: Workload, name: str) -> Contender:
    return next(c for c in workload.contenders if c.name == name)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", default="", metavar="W1,W2,...", help="default: all")
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--threads", type=int, help="default: as many as torch takes")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all times there")
    parser.add_argument(
        "--released", metavar="PYTHON", help="interpreter with the released snnTorch: time it, too"
    )
    parser.add_argument("--serve", nargs=2, help=argparse.SUPPRESS)
    parser.add_argument("--memory", nargs=2, help=argparse.SUPPRESS)
    args = parser.parse_args()
    random.seed(0)
    if args.threads:
        torch.set_num_threads(args.threads)
    if args.serve:
        serve(WORKLOADS[args.serve[0]], Path(args.serve[1]))
        return
    if args.memory:
        workload = WORKLOADS[args.memory[0]]
        print(own_peak_memory(by_name(workload, args.memory[1]), workload))
        return
    setting = machine()
    print(", ".join(f"{key} {value}" for key, value in setting.items()))
    results = {
        name: scale(name, args.rounds)
        if name in SCALING
        else compare(name, WORKLOADS[name], args.rounds, args.released)
        for name in chosen(args.only)
    }
    if args.json:
        args.json.parent.mkdir(parents=True, exist_ok=True)
        args.json.write_text(json.dumps({"machine": setting, "workloads": results}, indent=1))


if __name__ == "__main__":
    main()
