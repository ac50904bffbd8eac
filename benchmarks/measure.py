"""How it is measured: equal outputs first, then interleaved rounds, then peak memory."""

# ruff: noqa: D102
from __future__ import annotations

import contextlib
import ctypes
import functools
import gc
import importlib.metadata
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from contenders import STEPS, Contender, Unrolled
from torch import Tensor
from workloads import Run, Workload

SCRIPT = Path(__file__).with_name("sequences.py")


def start(contender: Contender, workload: Workload) -> Run:
    return workload.run(contender, workload)


# --- the same numbers -----------------------------------------------------------------


@dataclass(frozen=True)
class Outputs:
    """The spikes of a run and its gradients, one after another."""

    spk: Tensor
    gradient: Tensor

    @classmethod
    def of(cls, run: Run) -> Outputs:
        spk = run()
        gradients = [gradient.flatten() for gradient in run.gradients()]
        return cls(spk, torch.cat(gradients) if gradients else spk.new_empty(0))

    def differing_spikes(self, other: Outputs) -> int:
        return int((self.spk != other.spk).sum())

    def gradient_error(self, other: Outputs) -> float:
        """Return the relative size of the gradients' difference."""
        if not len(self.gradient):
            return 0.0
        return float((self.gradient - other.gradient).norm() / other.gradient.norm())


@contextlib.contextmanager
def default_dtype(dtype: torch.dtype) -> Iterator[None]:
    """Let everything that is built inside compute in ``dtype``."""
    before = torch.get_default_dtype()
    torch.set_default_dtype(dtype)
    try:
        yield
    finally:
        torch.set_default_dtype(before)


@functools.lru_cache(maxsize=4)
def our_outputs(contender: Contender, workload: Workload, dtype: torch.dtype) -> Outputs:
    """Return what this package computes, in ``dtype``; kept for the next contender."""
    with default_dtype(dtype):
        return Outputs.of(start(contender, workload))


def reference(contender: Contender, workload: Workload) -> Contender:
    """Return whom to compare a contender with: ours with its reset; unrolled, our loop."""
    ours = STEPS if contender.build is Unrolled else workload.contenders[0]
    return replace(ours, reset=contender.reset)


def check(contender: Contender, workload: Workload) -> str:
    """Compare a contender's spikes and gradients with ours; return what was found.

    In float64, where rounding decides no spike, all must be equal, so that the equation is
    the same. In float32 a contender that computes it in our order must fire the same
    spikes in a single layer; of others, and of nets, the spikes that differ are counted.

    Raises:
        SystemExit: If the contender computes something else.
    """
    if reference(contender, workload) == contender:
        return ""
    if contender.silent:
        return "a floor: nothing fires"
    differing = {}
    for dtype in (torch.float64, torch.float32):
        ours = our_outputs(reference(contender, workload), workload, dtype)
        with default_dtype(dtype):
            theirs = Outputs.of(start(contender, workload))
        differing[dtype] = theirs.differing_spikes(ours)
        if dtype == torch.float64:
            error = theirs.gradient_error(ours)
    fired, total = ours.spk.mean().item(), ours.spk.numel()
    if not 0.001 < fired < 0.9:
        raise SystemExit(f"{workload.title}: {fired:.1%} of the neurons fire, nothing is compared")
    if differing[torch.float64] > 1e-6 * total or (error > 1e-6 and not contender.own_gradient):
        raise SystemExit(
            f"{contender.name} does not compute {workload.title}: {differing[torch.float64]} of "
            f"{total} spikes differ, the gradients by {error:.1e}"
        )
    rounded = differing[torch.float32]
    if rounded and contender.exact and len(workload.layers()) == 1:
        raise SystemExit(f"{contender.name}: {rounded} of {total} spikes differ in float32")
    return said(contender, rounded, total)


def said(contender: Contender, rounded: int, total: int) -> str:
    words = ["equal"] if not contender.own_gradient else ["spikes equal", contender.own_gradient]
    if rounded:
        words.append(f"float32 rounding flips {rounded / total:.0e}")
    return "; ".join(words)


# --- time -----------------------------------------------------------------------------

Timer = Callable[[], float]


def timer(run: Callable[[], Any], calls: int = 1) -> Timer:
    """Return a function that says how long a call of ``run`` takes.

    As in a training loop, a call of its own comes before: what others left of the caches, and
    of the memory that the C library holds ready, is not its concern.
    """

    def seconds() -> float:
        run()
        begin = time.perf_counter()
        for _ in range(calls):
            run()
        return (time.perf_counter() - begin) / calls

    return seconds


def memcpy(numbers: int) -> Timer:
    """Return a timer of torch's copy of so many float32 numbers, between used buffers."""
    source, target = torch.rand(numbers), torch.rand(numbers)
    return timer(lambda: target.copy_(source))


def interleave(timers: dict[str, Timer], rounds: int) -> dict[str, list[float]]:
    """Return the times of ``rounds`` rounds, in each of which all run, in random order."""
    times: dict[str, list[float]] = {name: [] for name in timers}
    order = list(timers)
    for name in order:
        timers[name]()  # warm up
    for _ in range(rounds):
        random.shuffle(order)
        gc.collect()
        gc.disable()
        for name in order:
            times[name].append(timers[name]())
        gc.enable()
    return times


def quartiles(values: list[float]) -> list[float]:
    """Return the lower quartile, the median and the upper quartile."""
    return statistics.quantiles(values, n=4) if len(values) > 1 else values * 3


def ratios(times: list[float], base: list[float]) -> list[float]:
    """Return the quartiles of the ratios of one round each."""
    return quartiles([a / b for a, b in zip(times, base, strict=True)])


# --- another interpreter --------------------------------------------------------------


class Released:
    """The step loop in an interpreter where the released snnTorch is installed.

    It runs in a process of its own, one unit of work each time it is called.
    """

    def __init__(self, python: str, workload_id: str, workload: Workload) -> None:
        self.workload = workload
        self.folder = tempfile.TemporaryDirectory()
        self.outputs = Path(self.folder.name) / "outputs.pt"
        command = [python, str(SCRIPT), "--serve", workload_id, str(self.outputs)]
        command += ["--threads", str(torch.get_num_threads())]
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self.name = f"snnTorch {self._answer().strip()}, step by step"

    def _answer(self) -> str:
        """Return the next line that is meant for us, not somebody's message."""
        for line in self.process.stdout:
            if line.startswith("> "):
                return line[2:]
        raise SystemExit("the process of the released snnTorch ended, see above")

    def check(self) -> str:
        """Compare its first outputs with ours, in float32; return what was found."""
        theirs = Outputs(**torch.load(self.outputs, weights_only=True))
        ours = our_outputs(self.workload.contenders[0], self.workload, torch.float32)
        wrong, error = theirs.differing_spikes(ours), theirs.gradient_error(ours)
        single = len(self.workload.layers()) == 1
        if wrong > (0 if single else 1e-3 * ours.spk.numel()):
            raise SystemExit(f"{self.name}: {wrong} spikes differ, the gradients by {error:.1e}")
        return said(STEPS, wrong, ours.spk.numel())

    def __call__(self) -> float:
        self.process.stdin.write("go\n")
        self.process.stdin.flush()
        return float(self._answer())

    def close(self) -> None:
        self.process.stdin.close()
        self.process.wait()
        self.folder.cleanup()


def serve(workload: Workload, outputs: Path) -> None:
    """Be that process: save the first outputs, then time a unit of work for each line."""
    run = start(STEPS, workload)
    torch.save(vars(Outputs.of(run)), outputs)
    seconds = timer(run, workload.calls)
    print(f"> {importlib.metadata.version('snntorch')}", flush=True)
    for _ in sys.stdin:
        print(f"> {seconds()}", flush=True)


# --- memory ---------------------------------------------------------------------------


def _resident(field: str) -> int:
    """Return VmRSS, or VmHWM: its peak since it was last reset."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(field))


def own_peak_memory(contender: Contender, workload: Workload) -> int:
    """Return by how many bytes the first run raises this process's resident memory.

    A short run before it loads code and starts threads; what that freed is given back.
    """
    start(contender, workload.shortened())()
    run = start(contender, workload)
    gc.collect()
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).malloc_trim(0)
    Path("/proc/self/clear_refs").write_text("5")  # resets the peak
    before = _resident("VmRSS")
    run()
    return _resident("VmHWM") - before


def peak_memory(workload_id: str, name: str, python: str = sys.executable) -> int | None:
    """Return the peak memory of a first run in a fresh process; ``None`` if not on Linux."""
    if not Path("/proc/self/clear_refs").exists():
        return None
    command = [python, str(SCRIPT), "--memory", workload_id, name]
    command += ["--threads", str(torch.get_num_threads())]
    printed = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return int(printed.split()[-1])
