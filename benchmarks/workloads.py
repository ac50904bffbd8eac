"""What is timed: each workload is one record."""

# ruff: noqa: D102
from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import peers
import torch
import torch.nn.functional as F
from contenders import (
    BARE,
    BATCH,
    LIF,
    LOOP,
    SILENT,
    SOFT,
    STEPS,
    UNROLL,
    Contender,
    Layers,
)
from torch import Tensor, nn


class Run:
    """One contender's unit of work, to be called again and again.

    Args:
        contender: Who works.
        workload: On what.
    """

    def __init__(self, contender: Contender, workload: Workload) -> None:
        torch.manual_seed(0)
        self.workload = workload
        self.x = workload.draw(*workload.shape)
        self.net = contender.build(workload.layers(), workload.keep_mem, contender.reset)
        torch.manual_seed(1)  # what follows does not depend on what the net drew

    def __call__(self) -> Tensor:
        """Do it; return the spikes."""
        raise NotImplementedError

    def gradients(self) -> list[Tensor]:
        """Return the gradients of the last call."""
        return [p.grad for p in (self.x, *self.net.parameters()) if p.grad is not None]


class LayerPass(Run):
    """Forward and backward pass under a dense gradient, the input's gradient included."""

    def __init__(self, contender: Contender, workload: Workload) -> None:
        super().__init__(contender, workload)
        self.x.requires_grad_()
        self.grad = torch.randn(workload.shape)

    def __call__(self) -> Tensor:
        self.x.grad = None
        self.net.zero_grad()
        spk, _ = self.net(self.x, None)
        spk.backward(self.grad)
        return spk.detach()


def membrane_loss(spk: Tensor, mem: Tensor | None, targets: Tensor) -> Tensor:
    """Tutorial 5: the cross entropy of the membrane potentials, summed over the steps."""
    loss = nn.CrossEntropyLoss()
    loss_val = torch.zeros(1, dtype=spk.dtype)
    for step in range(len(mem)):
        loss_val += loss(mem[step], targets)
    return loss_val


def rate_loss(spk: Tensor, mem: Tensor | None, targets: Tensor) -> Tensor:
    """Tutorial 6, ``ce_rate_loss``: the cross entropy of the spikes, mean over the steps."""
    return F.cross_entropy(spk.flatten(0, 1), targets.repeat(len(spk)))


class Training(Run):
    """One whole training step of a net with a constant input, Adam's update included."""

    def __init__(self, contender: Contender, workload: Workload) -> None:
        super().__init__(contender, workload)
        self.targets = torch.randint(10, (len(self.x),))
        self.loss = membrane_loss if workload.keep_mem else rate_loss
        self.optimizer = torch.optim.Adam(self.net.parameters(), lr=5e-4, betas=(0.9, 0.999))

    def __call__(self) -> Tensor:
        spk, mem = self.net(self.x, self.workload.num_steps)
        self.optimizer.zero_grad()
        self.loss(spk, mem, self.targets).backward()
        self.optimizer.step()
        return spk.detach()


class OneStep(Run):
    """One call of one neuron, forward and backward."""

    def __init__(self, contender: Contender, workload: Workload) -> None:
        super().__init__(contender, workload)
        self.neuron = self.net.layers[0]
        self.mem = torch.rand_like(self.x)
        self.grad = torch.randn_like(self.x)
        self.x.requires_grad_()

    def __call__(self) -> Tensor:
        self.x.grad = None
        spk, _ = self.neuron(self.x, self.mem)
        spk.backward(self.grad)
        return spk.detach()


class OneStepNoGrad(OneStep):
    """One call of one neuron without gradient."""

    def __call__(self) -> Tensor:
        with torch.no_grad():
            return self.neuron(self.x, self.mem)[0]


@dataclass(frozen=True)
class Workload:
    """What is computed, and by whom.

    Args:
        title: What the table is called.
        run: The unit of work.
        layers: Returns the net's description, with its initial weights.
        shape: Shape of the input.
        draw: Returns an input of that shape.
        contenders: Who takes part; the first is what the others are compared with.
        copied: Numbers in the record whose copy is the table's unit; 0: not compared.
        copied_as: The same in symbols.
        num_steps: Steps of a constant input; ``None`` where time is the input's first axis.
        keep_mem: Whether the last layer's membrane potentials are recorded.
        memory: Whether the peak memory is measured.
        calls: Calls that are timed at a time.
    """

    title: str
    run: type[Run]
    layers: Callable[[], Layers]
    shape: tuple[int, ...]
    draw: Callable[..., Tensor]
    contenders: Sequence[Contender]
    copied: int = 0
    copied_as: str = ""
    num_steps: int | None = None
    keep_mem: bool = False
    memory: bool = False
    calls: int = 1

    def shortened(self) -> Workload:
        """Return the same in two steps: it warms up code, not memory."""
        if self.num_steps is not None:
            return replace(self, num_steps=2)
        return replace(self, shape=(2, *self.shape[1:]))


def currents(*shape: int) -> Tensor:
    """Return input that makes a neuron of beta 0.9 fire at about every tenth step."""
    return 0.4 * torch.rand(shape)


def images(*shape: int) -> Tensor:
    """Return pixels in [0, 1], one in five of them not black, as in handwritten digits."""
    return torch.rand(shape) * (torch.rand(shape) < 0.2)


def dense_net() -> Layers:
    return [nn.Linear(784, 1000), LIF(0.95), nn.Linear(1000, 10), LIF(0.95)]


def conv_net() -> Layers:
    lif = LIF(0.5, slope=25.0)
    layers = [
        *(nn.Conv2d(1, 12, 5), nn.MaxPool2d(2), lif),
        *(nn.Conv2d(12, 64, 5), nn.MaxPool2d(2), lif),
        *(nn.Flatten(), nn.Linear(64 * 4 * 4, 10), lif),
    ]
    with torch.no_grad():
        for weighted in (layers[0], layers[3], layers[7]):
            weighted.weight *= 3  # else no layer but the first ever fires, untrained
    return layers


def layer(beta: float = 0.9) -> Layers:
    return [LIF(beta)]


def recurrent_layer() -> Layers:
    return [LIF(0.9, feedback=nn.Linear(256, 256))]


OTHERS = (STEPS, LOOP, *peers.installed())
SEQUENCE = {"run": LayerPass, "draw": currents, "copied_as": "4 T B N: the input", "memory": True}
TRAINING = {"run": Training, "draw": images, "memory": True}
DENSE = TRAINING | {
    "layers": dense_net,
    "shape": (128, 784),
    "num_steps": 25,
    "keep_mem": True,
    "copied": 25 * 128 * 1000,
    "copied_as": "4 T B 1000: the hidden spikes",
}
ONE_STEP = {"layers": layer, "shape": (128, 10), "draw": torch.randn, "calls": 300}

WORKLOADS = {
    "W1": Workload(
        "LIF layer, T=100, 128 x 1000: forward and backward",
        layers=layer,
        shape=(100, 128, 1000),
        copied=math.prod((100, 128, 1000)),
        contenders=(UNROLL, SOFT, *OTHERS),
        **SEQUENCE,
    ),
    "W2": Workload(
        "784-1000-10, T=25, batch 128: training step (tutorial 5)",
        contenders=(UNROLL, *OTHERS, BATCH),
        **DENSE,
    ),
    "W2-loop": Workload(
        "the same net, in the loop that users have",
        contenders=(STEPS, LOOP, SILENT),
        **(DENSE | {"memory": False}),
    ),
    "W3": Workload(
        "12C5-MP2-64C5-MP2-FC10, T=50, batch 32: training step (tutorial 6)",
        layers=conv_net,
        shape=(32, 1, 28, 28),
        num_steps=50,
        copied=50 * 32 * (12 * 12 * 12 + 64 * 4 * 4),
        copied_as="4 T B (12 12 12 + 64 4 4): the hidden spikes",
        contenders=(UNROLL, *OTHERS, BATCH),
        **TRAINING,
    ),
    "W4": Workload(
        "LIF layer, T=1000, 32 x 512: forward and backward",
        layers=layer,
        shape=(1000, 32, 512),
        copied=math.prod((1000, 32, 512)),
        contenders=(UNROLL, *OTHERS),
        **SEQUENCE,
    ),
    "W5-nograd": Workload(
        "one step of Leaky, [128, 10], without gradient",
        run=OneStepNoGrad,
        contenders=(STEPS, LOOP, BARE),
        **ONE_STEP,
    ),
    "W5-grad": Workload(
        "one step of Leaky, [128, 10], forward and backward",
        run=OneStep,
        contenders=(STEPS, LOOP, BARE),
        **ONE_STEP,
    ),
    "W6": Workload(
        "RLeaky layer, dense V, T=100, 64 x 256: forward and backward",
        layers=recurrent_layer,
        shape=(100, 64, 256),
        copied=math.prod((100, 64, 256)),
        contenders=(UNROLL, *OTHERS),
        **SEQUENCE,
    ),
}


def scaled(num_steps: int, neurons: int) -> Workload:
    """Return W1 in another size."""
    shape = (num_steps, 1, neurons)
    calls = max(1, 200_000 // math.prod(shape))
    return replace(WORKLOADS["W1"], shape=shape, contenders=(UNROLL,), calls=min(calls, 50))
