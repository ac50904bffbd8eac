"""Random programs: a net with a time loop of its own, made of whatever people write in one."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

import snntorch as snn
from snntorch import surrogate

FEATURES, BATCH = 4, 3

Step = Callable[[dict[str, Any], int], None]


def _neuron(draw: random.Random, **kwargs: Any) -> Any:
    kwargs.setdefault("init_hidden", False)
    common = {
        "threshold": 0.4,
        "spike_grad": draw.choice((None, surrogate.fast_sigmoid(5))),
        **kwargs,
    }
    reset = {"reset_mechanism": draw.choice(("subtract", "zero", "none"))}
    made: tuple[Callable[[], Any], ...] = (
        lambda: snn.Leaky(0.8, learn_beta=draw.random() < 0.5, **common, **reset),
        lambda: snn.Leaky(torch.linspace(0.3, 0.9, FEATURES), reset_delay=False, **common),
        lambda: snn.Synaptic(0.7, 0.8, **common, **reset),
        lambda: snn.Alpha(0.9, 0.6, **common),
        lambda: snn.Lapicque(0.7, **common, **reset),
        lambda: snn.RLeaky(0.8, linear_features=FEATURES, **common, **reset),
        lambda: snn.RSynaptic(0.7, 0.8, V=0.3, all_to_all=False, **common, **reset),
        lambda: snn.SLSTM(FEATURES, FEATURES, **common),
        lambda: snn.Leaky(0.8, inhibition=True, **common),
    )
    return draw.choice(made)()


def like(x: Tensor, *shape: int) -> Tensor:
    """Return zeros that are there, not noted as a method of ``x`` would be, to be written to."""
    return torch.zeros(shape, dtype=x.dtype, device=x.device)


class Program(nn.Module):
    """Runs a random list of statements at each step, on variables of (batch, features).

    Args:
        seed: Tells the program.
        steps: Number of time steps.
    """

    def __init__(self, seed: int, steps: int = 6) -> None:
        super().__init__()
        torch.manual_seed(seed)
        draw = random.Random(seed)
        self.steps, self.layers = steps, nn.ModuleList()
        self.constant = draw.random() < 0.4
        self.names = ["x"]
        self.said: list[str] = []
        kinds = [getattr(self, name) for name in dir(type(self)) if name.startswith("do_")]
        self.statements: list[Step] = [self.do_linear(draw), self.do_neuron(draw)]
        self.statements += [draw.choice(kinds)(draw) for _ in range(draw.randint(1, 7))]
        self.kept = draw.sample(self.names[1:], min(2, len(self.names) - 1))

    def new(self, statement: str) -> str:
        name = f"v{len(self.names)}"
        self.names.append(name)
        self.said.append(f"{name} = {statement}")
        return name

    def own(self, layer: Any) -> Any:
        self.layers.append(layer)
        return layer

    def do_linear(self, draw: random.Random) -> Step:
        layer, source = self.own(nn.Linear(FEATURES, FEATURES)), draw.choice(self.names)
        name = self.new(f"linear({source})")

        def step(v: dict[str, Any], t: int) -> None:
            v[name] = layer(v[source]) + 0.2

        return step

    def do_neuron(self, draw: random.Random) -> Step:
        lif, source = self.own(_neuron(draw)), self.names[-1]
        name, states = self.new(f"{type(lif).__name__}({source})"), f"states of {len(self.names)}"
        shown = draw.random() < 0.4

        def step(v: dict[str, Any], t: int) -> None:
            if states not in v:
                first = lif.reset_mem()
                v[states] = first if isinstance(first, tuple) else (first,)
            out = lif(v[source], *v[states])
            new = out[1:] if len(out) > len(v[states]) else out
            v[states] = tuple(new)
            v[name] = out[-1] if shown else out[0]

        return step

    def do_hidden(self, draw: random.Random) -> Step:
        lif, source = self.own(_neuron(draw, init_hidden=True)), self.names[-1]
        name, reset = self.new(f"hidden {type(lif).__name__}({source})"), draw.random() < 0.2
        read = draw.random() < 0.3

        def step(v: dict[str, Any], t: int) -> None:
            if t == 0 or (reset and t == 3):
                lif.reset_mem()
            if reset and t == 4:
                lif.detach_mem()
            v[name] = lif(v[source])
            if read:
                v[name] = v[name] + 0.1 * lif.mem

        return step

    def do_twice(self, draw: random.Random) -> Step:
        lif, layer = (
            self.own(snn.Leaky(0.8, threshold=0.4)),
            self.own(nn.Linear(FEATURES, FEATURES)),
        )
        source, name = draw.choice(self.names), self.new("one neuron at two places")

        def step(v: dict[str, Any], t: int) -> None:
            one, two = v.get(f"{name} mem", (lif.init_leaky(), lif.init_leaky()))
            spk, one = lif(layer(v[source]), one)
            v[name], two = lif(layer(spk), two)
            v[f"{name} mem"] = one, two

        return step

    def do_mixed(self, draw: random.Random) -> Step:
        a, b, which = draw.choice(self.names), draw.choice(self.names), draw.randrange(6)
        name = self.new(f"mixed {which}({a}, {b})")
        mixes: tuple[Callable[[Tensor, Tensor], Tensor], ...] = (
            lambda a, b: a + b,
            lambda a, b: a * b - 0.5 * a,
            lambda a, b: torch.relu(a) + torch.tanh(b) / 2,
            lambda a, b: torch.cat([a, b], 1).chunk(2, 1)[1],
            lambda a, b: (a.unsqueeze(2) @ b.unsqueeze(1)).mean(2),
            lambda a, b: torch.softmax(a, -1) * (b > 0).to(b.dtype),
        )

        def step(v: dict[str, Any], t: int) -> None:
            v[name] = mixes[which](v[a], v[b])

        return step

    def do_views(self, draw: random.Random) -> Step:
        source, which = draw.choice(self.names), draw.randrange(5)
        name = self.new(f"views {which}({source})")
        ways: tuple[Callable[[Tensor], Tensor], ...] = (
            lambda a: a.view(a.size(0), 2, -1).transpose(1, 2).flatten(1),
            lambda a: a[:, [1, 0, 3, 2]] + a[..., :1],
            lambda a: a.t().contiguous().t(),
            lambda a: torch.stack([a, a * 2], 1).sum(1),
            lambda a: a.sum(-1, keepdim=True).expand(a.shape[0], a.shape[-1]) / 3,
        )

        def step(v: dict[str, Any], t: int) -> None:
            v[name] = ways[which](v[source])

        return step

    def do_norm(self, draw: random.Random) -> Step:
        layers = (nn.BatchNorm1d(FEATURES), nn.LayerNorm(FEATURES), nn.BatchNorm1d(FEATURES).eval())
        layer, source = self.own(draw.choice(layers)), draw.choice(self.names)
        name = self.new(f"{layer}({source})")

        def step(v: dict[str, Any], t: int) -> None:
            v[name] = layer(v[source])

        return step

    def do_conv(self, draw: random.Random) -> Step:
        layer = self.own(nn.Sequential(nn.Conv1d(1, 2, 3, padding=1), nn.MaxPool1d(2)))
        source = draw.choice(self.names)
        name = self.new(f"conv({source})")

        def step(v: dict[str, Any], t: int) -> None:
            v[name] = layer(v[source].unsqueeze(1)).flatten(1)

        return step

    def do_delay(self, draw: random.Random) -> Step:
        source = draw.choice(self.names)
        name = self.new(f"delayed {source}")

        def step(v: dict[str, Any], t: int) -> None:
            v[name] = v.get(f"{name} kept", torch.zeros_like(v["x"]))
            v[f"{name} kept"] = v[source]

        return step

    def do_feedback(self, draw: random.Random) -> Step:
        source, layer = draw.choice(self.names), self.own(nn.Linear(FEATURES, FEATURES))
        lif, name = self.own(snn.Leaky(0.7, threshold=0.4)), self.new(f"feedback({source})")

        def step(v: dict[str, Any], t: int) -> None:
            old = v.get(f"{name} spk", torch.zeros_like(v["x"]))
            mem = v.get(f"{name} mem")
            v[name], v[f"{name} mem"] = lif(v[source] + layer(old), mem)
            v[f"{name} spk"] = v[name]

        return step

    def do_skip(self, draw: random.Random) -> Step:
        source, layer = draw.choice(self.names), self.own(nn.Linear(FEATURES, FEATURES))
        name = self.new(f"every second step linear({source})")

        def step(v: dict[str, Any], t: int) -> None:
            if t % 2 == 0:
                v[f"{name} kept"] = layer(v[source])
            v[name] = v[f"{name} kept"]

        return step

    def do_in_place(self, draw: random.Random) -> Step:
        source, which = draw.choice(self.names), draw.randrange(4)
        name = self.new(f"in place {which}({source})")

        def step(v: dict[str, Any], t: int) -> None:
            made = v[source] * 2
            alias = made
            if which == 0:
                made += 0.3
                made.mul_(0.5)
            elif which == 1:
                made[:, 0] = 0.1
            elif which == 2:
                part = made[:, :2]
                part += 1.0
            else:
                made.clamp_(-0.5, 0.5)
            v[name] = alias + 0.01 * made

        return step

    def do_accumulate(self, draw: random.Random) -> Step:
        source, which = draw.choice(self.names), draw.randrange(3)
        name = self.new(f"accumulate {which}({source})")

        def step(v: dict[str, Any], t: int) -> None:
            if t == 0:
                v[f"{name} sum"] = torch.zeros_like(v["x"])
            if which == 0:
                v[f"{name} sum"] += v[source]
            elif which == 1:
                v[f"{name} sum"] = v[f"{name} sum"] + v[source]
            else:
                alias = v[f"{name} sum"]
                alias += v[source]
            v[name] = v[f"{name} sum"] * 0.3

        return step

    def do_buffer(self, draw: random.Random) -> Step:
        source = draw.choice(self.names)
        name = self.new(f"out[t] = {source}")

        def step(v: dict[str, Any], t: int) -> None:
            if t == 0:
                v["out"] = like(v["x"], self.steps, *v["x"].shape)
            v["out"][t] = v[source]
            v[name] = v[source]

        return step

    def do_detach(self, draw: random.Random) -> Step:
        source, at = draw.choice(self.names), draw.randrange(self.steps)
        name = self.new(f"detached at {at} {source}")

        def step(v: dict[str, Any], t: int) -> None:
            v[name] = v[source].detach() if t == at else v[source]

        return step

    def do_look(self, draw: random.Random) -> Step:
        source, every = draw.choice(self.names), draw.choice((1, 3))
        name = self.new(f"if {source} every {every} steps")

        def step(v: dict[str, Any], t: int) -> None:
            v[name] = v[source]
            if t % every == 0 and v[source].sum() > 1:
                v[name] = v[source] * 0.5

        return step

    def do_edit_states(self, draw: random.Random) -> Step:
        source, which = draw.choice(self.names), draw.randrange(4)
        lif = self.own(snn.Leaky(0.8, threshold=0.4, init_hidden=which > 1))
        name = self.new(f"states edited {which}({source})")

        def step(v: dict[str, Any], t: int) -> None:
            if which > 1:
                if t == 0:
                    lif.mem = torch.zeros_like(v["x"])
                if which == 2:
                    lif.mem += 0.1 * v[source]
                else:
                    lif.mem[:, 0] = v[source][:, 1]
                v[name] = lif(v[source])
                return
            mem = v.get(f"{name} mem", like(v["x"], BATCH, FEATURES))
            if which == 0:
                mem += 0.1 * v[source]
            else:
                mem[0] = v[source][1]
            v[name], v[f"{name} mem"] = lif(v[source], mem)

        return step

    def do_memory(self, draw: random.Random) -> Step:
        source, which = draw.choice(self.names), draw.randrange(5)
        name = self.new(f"memory {which}({source})")

        def step(v: dict[str, Any], t: int) -> None:
            if t == 0:
                v[f"{name} all"] = like(v["x"], self.steps + 1, *v["x"].shape)
            memory = v[f"{name} all"]
            value = v[source].detach() if which < 4 else v[source]
            if which == 0:
                memory[t + 1] = memory[t] * 0.5 + value
            elif which == 1:
                row = memory[t + 1]
                row += value
            elif which == 2:
                memory[t + 1].copy_(value)
            elif which == 3:
                memory[t + 1 :] += value
            else:
                memory = memory.clone()
                memory[t + 1] = value
                v[f"{name} all"] = memory
            v[name] = memory[t + 1] + memory[t] - memory.flatten(1).mean()

        return step

    def do_print(self, draw: random.Random) -> Step:
        source = draw.choice(self.names)
        name = self.new(f"sum of {source}, looked at without gradient")

        def step(v: dict[str, Any], t: int) -> None:
            if t == 0:
                v[f"{name} sum"] = torch.zeros_like(v["x"])
            v[f"{name} sum"] += v[source]
            v[name] = v[f"{name} sum"] * 0.2
            if t == 2:
                with torch.no_grad():
                    str(v[f"{name} sum"])

        return step

    def do_watch(self, draw: random.Random) -> Step:
        source, at, which = draw.choice(self.names), draw.randrange(self.steps), draw.randrange(4)
        name = self.new(f"{source}, watched in another mode {which} at {at}")
        mode = (torch.no_grad, torch.inference_mode, torch.enable_grad, torch.no_grad)[which]

        def step(v: dict[str, Any], t: int) -> None:
            v[name] = v[source] * 1
            if t == at:
                with mode():
                    v[source].sum().item()
                    if which == 3:
                        v[name] += 0.5
                        v[name][0].mul_(2)

        return step

    def do_own_neuron(self, draw: random.Random) -> Step:
        source, spike = draw.choice(self.names), surrogate.atan()
        name = self.new(f"neuron of one's own({source})")

        def step(v: dict[str, Any], t: int) -> None:
            mem = v.get(f"{name} mem", torch.zeros_like(v["x"]))
            mem = 0.8 * mem + v[source]
            v[name] = spike(mem - 0.4)
            v[f"{name} mem"] = mem - 0.4 * v[name].detach()

        return step

    def do_loss(self, draw: random.Random) -> Step:
        source = draw.choice(self.names)
        self.said.append(f"loss += ...({source})")
        target = torch.arange(BATCH) % FEATURES

        def step(v: dict[str, Any], t: int) -> None:
            v["loss"] = v.get("loss", 0.0) + F.cross_entropy(v[source], target.to(v[source].device))

        return step

    def forward(self, x: Tensor) -> list[Tensor]:
        """Return what the program keeps: (time, batch, features), or the last of it."""
        v: dict[str, Any] = {}
        kept: dict[str, list[Tensor]] = {name: [] for name in self.kept}
        for t in range(self.steps):
            v["x"] = x if self.constant else x[t]
            for statement in self.statements:
                statement(v, t)
            for name, rows in kept.items():
                rows.append(v[name])
        out = [torch.stack(rows) for rows in kept.values()]
        out += [v[name] for name in ("out", "loss") if name in v]
        return [*out, v[self.names[-1]]]

    def data(self, dtype: torch.dtype) -> Tensor:
        """Return an input."""
        shape = (BATCH, FEATURES) if self.constant else (self.steps, BATCH, FEATURES)
        return torch.rand(shape, dtype=dtype) * 2 - 0.3
