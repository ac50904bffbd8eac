"""What goes wrong around a net: processes that are killed, full disks, threads, Ctrl-C.

Each leaves what can be used: the old file, the same numbers, an error instead of a wait.
"""

from __future__ import annotations

import copy
import random
import re
import resource
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import pytest
import torch
from PIL import Image
from torch import Tensor, nn

import snntorch as snn
from snntorch import spikeplot, utils
from snntorch._files import replacing
from snntorch._neurons._deferral import RECORDERS
from tests.recipes import load_recipes

OLD = "{}"
ROOT = Path(__file__).parents[1]
#: Seconds after which a process is taken to hang.
PATIENCE = 240


def started(program: str, *arguments: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", program, *arguments]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


# --- a process that trains is killed ------------------------------------------------------------

#: Trains on a stream by truncated backpropagation. Its checkpoint holds all that goes on: weights,
#: moments, the states of the neurons, and the generator that draws.
TRAINING = """
import sys, torch, snntorch as snn
from pathlib import Path
from torch import nn
from snntorch import utils

file, last = Path(sys.argv[1]), int(sys.argv[2])
torch.set_num_threads(1)
torch.manual_seed(0)
net = nn.Sequential(
    nn.Linear(6, 20), snn.Synaptic(0.8, 0.9, threshold=0.3, learn_beta=True, init_hidden=True),
    nn.Dropout(0.2),
    nn.Linear(20, 3), snn.Leaky(0.9, threshold=0.3, init_hidden=True, output=True),
)
neurons = [part for part in net if isinstance(part, snn.SpikingNeuron)]
optimizer = torch.optim.Adam(net.parameters(), lr=0.01)
done = 0
utils.reset(net)
if file.exists():
    kept = torch.load(file, weights_only=True)
    net.load_state_dict(kept["net"])
    optimizer.load_state_dict(kept["optimizer"])
    torch.set_rng_state(kept["generator"])
    for neuron, states in zip(neurons, kept["states"], strict=True):
        for name, value in states.items():
            setattr(neuron, name, value)
    done = kept["done"]
print("from", done, flush=True)
for step in range(done + 1, last + 1):
    x = torch.rand(5, 4, 6)
    _, mem = snn.unroll(net, x)
    loss = (mem.mean(0) - x.mean(0)[:, :3]).square().mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    utils.reset(net) if step % 4 == 0 else [neuron.detach_hidden() for neuron in neurons]
    states = [{n: getattr(neuron, n).detach() for n in neuron.state_names} for neuron in neurons]
    kept = {
        "net": net.state_dict(), "optimizer": optimizer.state_dict(), "states": states,
        "generator": torch.get_rng_state(), "done": step,
    }
    new = file.with_suffix(".new")
    torch.save(kept, new)
    new.replace(file)
    print(step, loss.item().hex(), flush=True)
"""


def losses(process: subprocess.Popen[str], kill_after: int = 0) -> dict[int, str]:
    """Return the losses that a training prints; it is killed after some of them."""
    assert process.stdout is not None
    found: dict[int, str] = {}
    with process:
        for line in process.stdout:
            step, loss = line.split()
            if step != "from":
                found[int(step)] = loss
            if kill_after and len(found) == kill_after:
                process.kill()
    assert process.returncode == (-signal.SIGKILL if kill_after else 0)
    return found


def test_a_killed_training_goes_on_to_the_same_losses(tmp_path: Path) -> None:
    last = 24
    want = losses(started(TRAINING, str(tmp_path / "whole.pt"), str(last)))
    assert list(want) == list(range(1, last + 1))
    assert len(set(want.values())) == last
    file = str(tmp_path / "parted.pt")
    at = random.SystemRandom().randint(1, last // 2)
    got = losses(started(TRAINING, file, str(last)), kill_after=at)
    again = losses(started(TRAINING, file, str(last)))
    assert min(again) > 1, "it began anew"
    for step, loss in (got | again).items():
        assert loss == want[step], f"step {step}, killed after {at}"
    assert max(again) == last


#: Loses a worker of its loader, and goes on with another. A process of its own: torch tells of the
#: loss by raising from a handler of signals, which may be anywhere, as long as the loader lives.
LOADING = """
import gc, multiprocessing, os, signal, time, torch, snntorch as snn, snntorch.functional as SF
from snntorch import backprop
from torch import nn
from torch.utils.data import DataLoader, Dataset

class Fatal(Dataset):
    def __init__(self, kills):
        self.kills = kills

    def __len__(self):
        return 12

    def __getitem__(self, index):
        if index == self.kills:
            os.kill(os.getpid(), signal.SIGKILL)
        return torch.full((5,), index / 12), index % 2

net = nn.Sequential(nn.Linear(5, 2), snn.Leaky(0.9, init_hidden=True, output=True))
optimizer = torch.optim.SGD(net.parameters(), lr=0.1)

def train(kills):
    with_one = dict(num_workers=1, timeout=240, multiprocessing_context="fork")
    loader = DataLoader(Fatal(kills), batch_size=4, **with_one)
    return backprop.BPTT(net, loader, optimizer, SF.ce_rate_loss(), num_steps=6, time_var=False)

try:
    try:
        train(kills=9)
    finally:  # torch tells of it from a signal handler, which may come last
        while multiprocessing.active_children():
            time.sleep(0.01)
except (RuntimeError, OSError, EOFError) as error:  # or the connection to it breaks first
    print(repr(error), flush=True)
gc.collect()
print(train(kills=None).isfinite().item())
"""


def test_a_killed_worker_of_a_loader_is_an_error() -> None:
    process = started(LOADING)
    printed, _ = process.communicate(timeout=PATIENCE)
    assert process.returncode == 0
    error, finite = printed.splitlines()
    assert re.match(r"RuntimeError\('DataLoader worker .* (killed by|exited)|Conn|EOF|File", error)
    assert finite == "True"


# --- a disk that is full ------------------------------------------------------------------------


@contextmanager
def room_for(size: int) -> Iterator[None]:
    """Let no file of this process grow beyond some bytes, as if the disk were full."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    before = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)  # an error instead, as of a full disk
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, before)


def draw(path: Path) -> None:
    fig, ax = plt.subplots(figsize=(2, 2))
    anim = spikeplot.animator(torch.eye(3).reshape(3, 1, 3), fig, ax)
    spikeplot.save_animation(anim, path)
    plt.close(fig)


def draw_by_matplotlib(path: Path) -> None:
    fig, ax = plt.subplots(figsize=(2, 2))
    spikeplot.animator(torch.eye(3).reshape(3, 1, 3), fig, ax).save(path)
    plt.close(fig)


def tabulate(path: Path) -> None:
    """Write what recipes reached, and the page about it."""
    page = path.parent / "results.rst"
    seeds = [{"seed": 0, "valid": 0.5, "test": 0.5, "seconds": 1.0, "epoch": 1}] * 40
    record = {"about": "", "command": "", "chance": 0.1, "epochs": 1, "parameters": 1}
    record |= {"split": [1, 1, 1], "seeds": seeds, "machine": "", "snntorch": "", "torch": ""}
    with load_recipes() as modules:
        page.write_text("\n".join([*modules["run"].MARKS, ""]))
        modules["run"].write("tiny", {"digits": record}, path.parent)


def ship(path: Path) -> None:
    """Write a trained net and its description."""
    with load_recipes() as modules:
        modules["ship"].ship("digits", "tiny", path.parent)


WRITERS: dict[str, tuple[Callable[[Path], None], str]] = {
    "an animation": (draw, "spikes.gif"),
    "an animation by matplotlib": (draw_by_matplotlib, "spikes.gif"),
    "results": (tabulate, "results.json"),
    "a net that is shipped": (ship, "digits.pt"),
}


@pytest.mark.parametrize("what", WRITERS)
def test_a_full_disk_leaves_the_old_file(what: str, tmp_path: Path) -> None:
    write, name = WRITERS[what]
    path = tmp_path / name
    write(path)
    assert path.stat().st_size > 600
    names = {one.name for one in tmp_path.iterdir()}
    path.write_text(OLD)
    with room_for(500), pytest.raises((OSError, RuntimeError)):
        write(path)
    assert path.read_text() == OLD
    assert {one.name for one in tmp_path.iterdir()} == names
    write(path)
    assert path.stat().st_size > 600


#: Runs a script on a disk that is full.
FULL = """
import resource, runpy, signal, sys
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (500, 500))
sys.argv = sys.argv[1:]
sys.path.insert(0, sys.argv[0].rpartition("/")[0])
runpy.run_path(sys.argv[0], run_name="__main__")
"""


def test_so_does_an_example(tmp_path: Path) -> None:
    path = tmp_path / "quickstart.pt"
    path.write_text(OLD)
    options = ("--epochs", "1", "--hidden", "8", "--num-steps", "1", "--out", str(tmp_path))
    command = [sys.executable, "-c", FULL, str(ROOT / "examples" / "quickstart.py"), *options]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    assert "unexpected pos" in ended.stderr, ended.stderr
    assert path.read_text() == OLD


def test_without_care_a_full_disk_leaves_half_a_file(tmp_path: Path) -> None:
    """Else the test above could not fail."""
    path = tmp_path / "file"
    path.write_text(OLD)
    with room_for(500), pytest.raises(OSError, match="File too large"):
        path.write_bytes(bytes(1000))
    assert path.read_bytes() == bytes(500)


def test_a_file_is_replaced_where_it_is(tmp_path: Path) -> None:
    real, link = tmp_path / "real.txt", tmp_path / "link.txt"
    link.symlink_to(real)
    with replacing(link) as file:
        file.write_text("through a link")
    assert link.is_symlink()
    assert real.read_text() == "through a link"
    with replacing("/dev/null") as file:
        assert file == Path("/dev/null")
    with replacing(str(tmp_path / "spikes.gif")) as file:
        Image.new("1", (2, 2)).save(file)  # the suffix says what it is to be
    with Image.open(tmp_path / "spikes.gif") as image:
        assert image.format == "GIF"


# --- two threads ----------------------------------------------------------------------------------


def hidden(seed: int) -> nn.Sequential:
    torch.manual_seed(seed)
    return nn.Sequential(
        nn.Linear(6, 32),
        snn.Synaptic(0.8, 0.9, threshold=0.3, learn_beta=True, init_hidden=True),
        nn.Linear(32, 4),
        snn.Leaky(0.9, threshold=0.3, init_hidden=True, output=True),
    )


class Loop(nn.Module):
    """A net whose loop is in `forward`."""

    def __init__(self, net: nn.Module) -> None:
        super().__init__()
        self.net = net

    def forward(self, x: Tensor) -> Tensor:
        """Return membranes."""
        utils.reset(self.net)
        return torch.stack([self.net(step)[1] for step in x])


def looped(net: nn.Module, x: Tensor) -> Tensor:
    return Loop(net)(x)


def unrolled(net: nn.Module, x: Tensor) -> Tensor:
    utils.reset(net)
    mem: Tensor = snn.unroll(net, x)[1]
    return mem


def fused(net: nn.Module, x: Tensor) -> Tensor:
    whole = snn.fuse(Loop(net))
    whole.forward.trial.defers = lambda like: True
    mem: Tensor = whole(x)
    assert whole.forward.report.pays
    return mem


def deferred(net: nn.Module, x: Tensor) -> Tensor:
    with snn.deferred() as region:
        mem = looped(net, x)
    assert region.report.pays
    return mem


def trained(way: Callable[[nn.Module, Tensor], Tensor], net: nn.Module, seed: int) -> list[Tensor]:
    """Return all that three steps of training compute."""
    x = torch.rand(12, 5, 6, generator=torch.Generator().manual_seed(seed))
    optimizer, found = torch.optim.SGD(net.parameters(), lr=0.1), []
    for _ in range(3):
        mem = way(net, x)
        optimizer.zero_grad()
        mem.square().mean().backward()
        optimizer.step()
        found += [mem.detach(), *(one.detach().clone() for one in net.parameters())]
    return found


WAYS = (looped, unrolled, fused, deferred)


@pytest.fixture
def hasty() -> Iterator[None]:
    """Let threads take turns as often as can be."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


@pytest.mark.usefixtures("hasty")
@pytest.mark.parametrize("ways", [(way, way) for way in WAYS] + [(looped, deferred)])
def test_threads_do_not_touch_each_other(ways: Any, kernel_steps: list[str]) -> None:
    seeds = (1, 2)
    nets = [hidden(seed) for seed in seeds]
    jobs = list(zip(ways, nets, seeds, strict=True))
    want = [trained(way, copy.deepcopy(net), seed) for way, net, seed in jobs]
    alone = len(kernel_steps)
    assert alone
    got: dict[int, list[list[Tensor]]] = {0: [], 1: []}
    begin = threading.Barrier(2)

    def work(number: int) -> None:
        torch.set_num_threads(1)  # each has its own number, and sums are rounded by it
        begin.wait()
        for _ in range(4):
            way, net, seed = jobs[number]
            got[number].append(trained(way, copy.deepcopy(net), seed))

    threads = [threading.Thread(target=work, args=(number,)) for number in got]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(kernel_steps) == 5 * alone
    for number, each in got.items():
        assert len(each) == 4
        for values in each:
            assert all(map(torch.equal, values, want[number]))
    assert not RECORDERS


# --- Ctrl-C ---------------------------------------------------------------------------------------

#: Is interrupted in a call of the compiled kernel, and goes on.
KERNEL = """
import os, signal, threading, time, torch, traceback, snntorch as snn
from snntorch._kernels.cpu import library

torch.set_num_threads(2)
neuron = snn.Leaky(0.9, threshold=0.5)
small, large = torch.rand(7, 3, 5), torch.rand(20, 1000, 1000)
want, slow = neuron.unroll(small)[0], neuron.unroll(large)[0].sum()
begins, call = threading.Event(), library.Library.call

def watched(known, name, args):
    begins.set()
    call(known, name, args)

def interrupt():
    begins.wait()
    time.sleep(0.005)
    os.kill(os.getpid(), signal.SIGINT)

library.Library.call = watched
for attempt in range(20):
    begins.clear()
    other = threading.Thread(target=interrupt)
    other.start()
    try:
        neuron.unroll(large)
        other.join()  # it was sent by then, however late
        time.sleep(0.1)
    except KeyboardInterrupt as error:
        last = traceback.extract_tb(error.__traceback__)[-1]
        inside = last.name == "call"
    other.join()
    assert torch.equal(neuron.unroll(small)[0], want)
    if inside:
        break
assert neuron.unroll(large)[0].sum() == slow
x = small.requires_grad_()
neuron.unroll(x)[1].sum().backward()
assert x.grad.abs().sum() > 0
print("inside" if inside else "outside")
"""


def test_an_interrupted_kernel_leaves_a_usable_process() -> None:
    process = started(KERNEL)
    printed, _ = process.communicate(timeout=PATIENCE)
    assert process.returncode == 0
    assert printed.split() == ["inside"]


class Interrupted:
    """Raises KeyboardInterrupt where a function of the package begins, as Ctrl-C may do.

    Not so where a region begins or ends: for those few lines nothing in Python is safe.

    Args:
        at: At which call to raise, counted from the first; a number too large counts them all.
    """

    def __init__(self, at: int) -> None:
        self.at, self.seen = at, 0
        self.where = ""

    def __enter__(self) -> Interrupted:
        self.before = sys.gettrace()
        sys.settrace(self.trace)
        return self

    def __exit__(self, *_: object) -> None:
        sys.settrace(self.before)

    def trace(self, frame: Any, event: str, _: Any) -> None:
        """Count calls."""
        code = frame.f_code
        own = "/snntorch/" in code.co_filename and code.co_name != "<genexpr>"  # may be closing
        if own and not self.is_at_an_end(frame):
            self.seen += 1
            if self.seen == self.at:
                self.where = f"{code.co_filename}:{frame.f_lineno}"
                sys.settrace(None)
                raise KeyboardInterrupt

    @staticmethod
    def is_at_an_end(frame: Any) -> bool:
        """Return whether a region begins or ends, what it runs then left out."""
        while frame is not None and frame.f_code.co_name != "run_all":
            if frame.f_code.co_name in ("__enter__", "__exit__"):
                return True
            frame = frame.f_back
        return False


def interrupted(way: Callable[[nn.Module, Tensor], Tensor], at: int) -> Interrupted:
    """Interrupt a net in one of its ways, and look at what is left."""
    net, x = hidden(0), torch.rand(4, 5, 6)
    want = looped(copy.deepcopy(net), x)
    with Interrupted(at) as stopped:
        try:
            way(net, x)
            raised = False
        except KeyboardInterrupt:
            raised = True
    assert raised is bool(stopped.where)
    assert not RECORDERS, stopped.where
    assert type(net[0](x)) is Tensor, stopped.where  # nobody notes any more
    for neuron in (net[1], net[3]):
        assert all(type(getattr(neuron, name)) is Tensor for name in neuron.state_names)
    assert torch.equal(way(net, x), want), stopped.where
    return stopped


@pytest.mark.parametrize("way", WAYS)
def test_an_interrupt_anywhere_leaves_no_placeholder(way: Any) -> None:
    calls = [interrupted(way, at=10**9).seen for _ in range(2)][1]  # the first fills caches
    assert calls > 100
    chosen = random.Random(0).sample(range(1, calls), 60)
    assert all(interrupted(way, at).where for at in chosen)


def test_a_value_that_was_never_computed_says_so() -> None:
    net, kept = hidden(0), []

    def stopped() -> None:
        with snn.deferred():
            kept.append(net(torch.rand(5, 6))[1])
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        stopped()
    with pytest.raises(RuntimeError, match=r"interrupted before it computed this value\. Run the"):
        kept[0].sum()
