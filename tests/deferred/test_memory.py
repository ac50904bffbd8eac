"""What deferring a net takes in memory at its peak, in a process of its own."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

STATUS = Path("/proc/self/status")
pytestmark = pytest.mark.skipif(
    not STATUS.exists(), reason="this system does not tell the peak of a process's memory"
)

#: Most of what it keeps is behind the first convolution, so that a gradient of that is large.
PROGRAM = """
import sys, torch, snntorch as snn
from pathlib import Path
from torch import nn

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1, self.lif1 = nn.Conv2d(1, 16, 5), snn.Leaky(0.9)
        self.conv2, self.lif2 = nn.Conv2d(16, 16, 5), snn.Leaky(0.9)

    def forward(self, x):
        mem1, mem2, out = self.lif1.init_leaky(), self.lif2.init_leaky(), []
        for t in range(30):
            spk, mem1 = self.lif1(torch.max_pool2d(self.conv1(x[t]), 2), mem1)
            spk, mem2 = self.lif2(self.conv2(spk), mem2)
            out.append(mem2.mean((2, 3)))
        return torch.stack(out)

def peak():
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM"))

net, x = Net(), torch.rand(30, 32, 1, 28, 28)
if sys.argv[1] != "loop":
    chunk = int(sys.argv[1]) or None
    snn.fuse(net, chunk=chunk).forward.trial.defers = lambda like: True
before = peak()
for _ in range(3):
    net(x).square().mean().backward()
print(peak() - before)
"""


def taken(how: str) -> int:
    command = [sys.executable, "-c", PROGRAM, how]
    return int(subprocess.run(command, capture_output=True, text=True, check=True).stdout)


def test_training_takes_about_as_much_as_the_loop() -> None:
    loop, whole, chunks = (taken(how) for how in ("loop", "0", "5"))
    assert loop > 100_000
    assert whole < 1.6 * loop
    assert chunks < 1.15 * loop
