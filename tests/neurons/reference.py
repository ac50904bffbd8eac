"""The equations of the stepwise neurons once more: float64 NumPy, loops, no autograd.

Written from the equations alone, as a reference that shares no code with the package.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np

Array = np.ndarray


def sigmoid(x: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-x))


def conv2d_same(x: np.ndarray, weight: np.ndarray, bias: np.ndarray) -> np.ndarray:
    """Return the cross-correlation, zero padded to the size of x (more on the far side)."""
    rows, columns = weight.shape[2:]
    before = ((rows - 1) // 2, (columns - 1) // 2)
    padded = np.pad(
        x,
        (
            (0, 0),
            (0, 0),
            (before[0], rows - 1 - before[0]),
            (before[1], columns - 1 - before[1]),
        ),
    )
    out = np.zeros((x.shape[0], weight.shape[0], *x.shape[2:]))
    for i in range(x.shape[2]):
        for j in range(x.shape[3]):
            window = padded[:, :, i : i + rows, j : j + columns]
            out[:, :, i, j] = np.einsum("bcrs,ocrs->bo", window, weight)
    return out + bias[:, None, None]


class Values(SimpleNamespace):
    """A neuron's parameters and options, under the names that the equations give them."""

    def reset(self, mem: Array, times: Array) -> Array:
        """Return the membrane potential, reset so often."""
        if self.mechanism == "subtract":
            return mem - times * self.threshold
        if self.mechanism == "soft":
            return mem - times * self.beta * self.threshold
        return mem - times * mem if self.mechanism == "zero" else mem

    def raised(self, adapt: Array, spikes: Array) -> Array:
        """Return what is added to the threshold after such spikes."""
        return np.clip(self.rho, 0, 1) * adapt + self.increment * spikes

    def feedback(self, spk: Array) -> Array:
        """Return what spikes become on their way back to the input."""
        if "V" in vars(self):
            return self.V * spk
        weight, bias = self.layers["recurrent.weight"], self.layers["recurrent.bias"]
        return spk @ weight.T + bias if weight.ndim == 2 else conv2d_same(spk, weight, bias)


# One update of each neuron, reset included: new states from parameters, input, where the last step
# fired, and old states.


def leaky(v: Values, x: Array, fired: Array, mem: Array) -> tuple[Array, ...]:
    if v.mechanism == "zero":
        return (v.beta * (1 - fired) * mem + x,)
    return (v.reset(v.beta * mem + x, fired),)


def alif(v: Values, x: Array, fired: Array, adapt: Array, mem: Array) -> tuple[Array, ...]:
    (mem,) = leaky(v, x, fired, mem)
    if v.reset_delay:  # else it has risen in the step of the spike
        adapt = v.raised(adapt, fired)
    v.threshold = v.rest + adapt
    return adapt, mem


def rleaky(v: Values, x: Array, fired: Array, spk: Array, mem: Array) -> tuple[Array, ...]:
    return (v.reset(v.beta * mem + x + v.feedback(spk), fired),)


def lapicque(v: Values, x: Array, fired: Array, mem: Array) -> tuple[Array, ...]:
    rate = v.time_step / (v.R * v.C)
    return (v.reset(x * v.R * rate + (1 - rate) * mem, fired),)


def synaptic(v: Values, x: Array, fired: Array, syn: Array, mem: Array) -> tuple[Array, ...]:
    syn = v.alpha * syn + x
    return syn, v.reset(v.beta * mem + syn, fired)


def rsynaptic(v: Values, x: Array, fired: Array, spk: Array, *states: Array) -> tuple[Array, ...]:
    return synaptic(v, x + v.feedback(spk), fired, *states)


def alpha(v: Values, x: Array, fired: Array, exc: Array, inh: Array, _: Array) -> tuple[Array, ...]:
    tau = np.log(v.alpha) / (np.log(v.beta) - np.log(v.alpha)) + 1
    exc, inh = v.alpha * exc + x, v.beta * inh - x
    if v.mechanism == "subtract":
        exc = exc - fired * v.threshold / tau
    elif v.mechanism == "zero":
        exc, inh = exc * (1 - fired), inh * (1 - fired)
    return exc, inh, tau * (exc + inh)


def deltaleaky(v: Values, x: Array, _: Array, mem: Array, before: Array) -> tuple[Array, ...]:
    return v.beta * mem + x, mem


def izhikevich(v: Values, x: Array, fired: Array, u: Array, mem: Array) -> tuple[Array, ...]:
    potential = np.where(fired, v.c, mem - 70)  # absolute, as in the paper
    recovery = u + v.b * -70 + fired * v.d
    rise = 0.04 * potential**2 + 5 * potential + 140 - recovery + x
    recovered = recovery + v.dt * v.a * (v.b * potential - recovery)
    return recovered - v.b * -70, potential + v.dt * rise + 70


def adex(v: Values, x: Array, fired: Array, w: Array, mem: Array) -> tuple[Array, ...]:
    V = np.where(fired, v.V_r, mem + v.E_L)
    w = w + fired * v.b
    upswing = v.g_L * v.Delta_T * np.exp((V - v.V_T) / v.Delta_T)
    rise = (-v.g_L * (V - v.E_L) + upswing - w + x) / v.C
    return w + v.dt * (v.a * (V - v.E_L) - w) / v.tau_w, V + v.dt * rise - v.E_L


def slstm(v: Values, x: Array, fired: Array, syn: Array, mem: Array) -> tuple[Array, ...]:
    gates = x @ v.layers["lstm_cell.weight_ih"].T + v.layers["lstm_cell.bias_ih"]
    gates = gates + mem @ v.layers["lstm_cell.weight_hh"].T + v.layers["lstm_cell.bias_hh"]
    i, f, c, o = np.split(gates, 4, axis=1)
    syn = sigmoid(f) * syn + sigmoid(i) * np.tanh(c)
    return syn, v.reset(sigmoid(o) * np.tanh(syn), fired)


def sconv2dlstm(v: Values, x: Array, fired: Array, syn: Array, mem: Array) -> tuple[Array, ...]:
    both = np.concatenate((x, mem), axis=1)
    gates = conv2d_same(both, v.layers["conv.weight"], v.layers["conv.bias"])
    i, f, o, c = np.split(gates, 4, axis=1)
    syn = sigmoid(f) * syn + sigmoid(i) * np.tanh(c)
    return syn, v.reset(sigmoid(o) * np.tanh(syn), fired)


def pooled(v: Values, syn: Array, mem: Array) -> Array:
    """Return the excess of the largest in each window of an SConv2dLSTM."""
    (b, c, h, w), k = mem.shape, v.max_pool
    return mem.reshape(b, c, h // k, k, w // k, k).max((3, 5)) - v.threshold


#: By the name of the class.
UPDATES: dict[str, Callable[..., tuple[Array, ...]]] = {
    "AdEx": adex,
    "Izhikevich": izhikevich,
    "Leaky": leaky,
    "ALIF": alif,
    "Lapicque": lapicque,
    "Synaptic": synaptic,
    "Alpha": alpha,
    "RLeaky": rleaky,
    "RSynaptic": rsynaptic,
    "SLSTM": slstm,
    "SConv2dLSTM": sconv2dlstm,
    "DeltaLeaky": deltaleaky,
}
#: What fires where it is positive, of those where it is not the membrane minus the threshold.
EXCESSES: dict[str, Callable[..., Array]] = {
    "DeltaLeaky": lambda v, mem, before: np.abs(mem - before) - v.delta_threshold,
    "SConv2dLSTM": pooled,
}


class Twin:
    """The equations of a neuron with its parameters of now, a step at a time.

    Attributes:
        v: Parameters and options; can be changed.
        last: Spikes and states of the last step by name, in the order in which a call returns
            them; empty before the first one, which starts from zeros.
        clearance: How close what fires has come to its threshold in the last step.
    """

    clearance = math.inf

    def __init__(self, neuron: Any) -> None:
        self.name = type(neuron).__name__
        tensors = {**dict(neuron.named_buffers()), **neuron.state_dict()}
        kept = {k: tensor.detach().double().numpy() for k, tensor in tensors.items()}
        self.v = Values(**{k: value for k, value in kept.items() if "." not in k})
        self.v.layers, self.v.mechanism = kept, neuron.reset_mechanism
        self.v.max_pool, self.v.rest = getattr(neuron, "max_pool", 0), self.v.threshold
        self.v.reset_delay = neuron.reset_delay
        for rate in vars(self.v).keys() & {"alpha", "beta"}:
            setattr(self.v, rate, np.clip(getattr(self.v, rate), 0, 1))
        self.names = tuple(name for name in neuron.state_names if name != "spk")
        self.fed = "spk" in neuron.state_names
        self.sizes = getattr(neuron, "hidden_size", 0), getattr(neuron, "out_channels", 0)
        self.last: dict[str, Array] = {}

    def zeros(self, shape: tuple[int, ...]) -> dict[str, Array]:
        """Return spikes and states of the shape of a step's input, or of what that becomes."""
        if self.name == "SLSTM":
            shape = (*shape[:-1], self.sizes[0])
        if self.name == "SConv2dLSTM":
            shape = (shape[0], self.sizes[1], *shape[2:])
        return {name: np.zeros(shape) for name in ("spk", *self.names)}

    def step(self, x: Array) -> dict[str, Array]:
        """Return spikes and states after one more step."""
        v, last = self.v, self.last or self.zeros(x.shape)
        states = tuple(last[name] for name in self.names)
        if "adapt" in last:
            v.threshold = v.rest + last["adapt"]
        fired = (states[-1] > v.threshold).astype(float)
        fed = (last["spk"],) if self.fed else ()
        states = UPDATES[self.name](v, x, fired, *fed, *states)
        excess = EXCESSES.get(self.name, lambda v, *states: states[-1] - v.threshold)(v, *states)
        crossing = (excess > 0).astype(float)
        self.clearance = float(np.abs(excess).min(initial=math.inf))
        if not v.reset_delay:
            states = (*states[:-1], v.reset(states[-1], crossing - fired))
            if "adapt" in last:
                states = (v.raised(states[0], crossing), states[-1])
        spk, v.threshold = v.graded_spikes_factor * crossing, v.rest
        self.last = dict(zip(("spk", *self.names), (spk, *states), strict=True))
        return self.last


def simulate(neuron: Any, x: Array) -> list[Array]:
    """Return spikes and states of a neuron for input [T, ...], each [T, ...]."""
    twin = Twin(neuron)
    record = [tuple(twin.step(current).values()) for current in x]
    return [np.stack(parts) for parts in zip(*record, strict=True)]
