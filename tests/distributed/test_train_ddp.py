"""``examples/train_ddp.py``, one of whose processes is killed."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = str(Path(__file__).parents[2] / "examples" / "train_ddp.py")
OPTIONS = ("--double", "--hidden", "64", "--batch-size", "50", "--checkpoint", "made")
EPOCHS = 12
#: What ``torchrun`` is; the port at which the processes meet is one that is free.
TORCHRUN = ("-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2")


def command(*launcher: str, epochs: int) -> list[str]:
    return [sys.executable, *launcher, SCRIPT, *OPTIONS, "--epochs", str(epochs)]


def finished(folder: Path, *launcher: str, epochs: int) -> str:
    """Return what the script prints in a folder."""
    line = command(*launcher, epochs=epochs)
    ended = subprocess.run(line, cwd=folder, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr
    return ended.stdout


def killed(folder: Path, *, rank: int, after: int, epochs: int) -> str:
    """Run the script in two processes, kill one after some epochs, return what they print."""
    line = command(*TORCHRUN, epochs=epochs)
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL, "text": True}
    with subprocess.Popen(line, cwd=folder, **pipes) as running:
        printed = ""
        for text in running.stdout:
            printed += text
            if text.startswith(f"epoch {after}:"):
                process = re.search(rf"^rank {rank} of 2: process (\d+)$", printed, re.MULTILINE)
                os.kill(int(process[1]), signal.SIGKILL)
    assert running.returncode != 0
    return printed


def losses(printed: str) -> dict[int, float]:
    found = re.findall(r"^epoch (\d+): loss (\d+\.\d+)$", printed, re.MULTILINE)
    return {int(epoch): float(loss) for epoch, loss in found}


def accuracy(printed: str) -> float:
    line = r"^test accuracy: (\d+\.\d+) % of 360 held-out images$"
    return float(re.search(line, printed, re.MULTILINE)[1])


def test_a_killed_run_goes_on_to_what_one_process_reaches(tmp_path: Path) -> None:
    """First with two processes again, then with one, which takes their checkpoint over."""
    whole, parted = tmp_path / "whole", tmp_path / "parted"
    whole.mkdir()
    parted.mkdir()
    printed = finished(whole, epochs=EPOCHS)
    want = losses(printed)
    assert list(want) == list(range(1, EPOCHS + 1))
    assert want[EPOCHS] < want[1] / 2
    assert accuracy(printed) > 80

    cut = losses(killed(parted, rank=1, after=2, epochs=EPOCHS - 1))
    assert EPOCHS - 1 not in cut
    again = finished(parted, *TORCHRUN, epochs=EPOCHS - 1)
    start = int(re.search(r"^resumed after epoch (\d+)$", again, re.MULTILINE)[1])
    assert start in (len(cut), len(cut) + 1)  # its line may have been lost
    assert list(losses(again)) == list(range(start + 1, EPOCHS))
    for each in range(2):
        rates = re.findall(rf"^rank {each}: epoch \d+, (\d+) images/s$", again, re.MULTILINE)
        assert len(rates) == EPOCHS - 1 - start
        assert all(int(rate) > 0 for rate in rates)
    alone = finished(parted, epochs=EPOCHS)
    assert f"resumed after epoch {EPOCHS - 1}\n" in alone
    got = cut | losses(again) | losses(alone)
    assert got == pytest.approx(want, rel=1e-5, abs=2e-6)  # six digits are printed
    assert accuracy(alone) == accuracy(printed)
    assert [folder.name for folder in (parted / "made").iterdir()] == [str(EPOCHS)]
