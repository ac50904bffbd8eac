"""The equations of the stepwise neurons once more: float64 NumPy, loops, no autograd.

Written from the equations alone, as a reference that shares no code with the package.
"""

from __future__ import annotations

from typing import Any

import numpy as np


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


def simulate(neuron: Any, x: np.ndarray) -> list[np.ndarray]:  # noqa: PLR0915 (nine models)
    """Return spikes and states of a neuron for input [T, ...], each [T, ...]."""
    values = {k: v.detach().double().numpy() for k, v in neuron.state_dict().items()}
    name = type(neuron).__name__
    theta, g = values["threshold"], values["graded_spikes_factor"]
    mechanism, delay = neuron.reset_mechanism, neuron.reset_delay
    beta = np.clip(values["beta"], 0, 1) if "beta" in values else None
    alpha = np.clip(values["alpha"], 0, 1) if "alpha" in values else None

    def feedback(spk: np.ndarray) -> np.ndarray:
        if not neuron.all_to_all:
            return values["V"] * spk
        weight, bias = values["recurrent.weight"], values["recurrent.bias"]
        if weight.ndim == 2:
            return spk @ weight.T + bias
        return conv2d_same(spk, weight, bias)

    def reset(mem: np.ndarray, amount: np.ndarray) -> np.ndarray:
        if mechanism == "subtract":
            return mem - amount * theta
        if mechanism == "soft":
            return mem - amount * beta * theta
        return mem - amount * mem if mechanism == "zero" else mem

    shape = x.shape[1:]
    if name == "SLSTM":
        shape = (*shape[:-1], neuron.hidden_size)
    if name == "SConv2dLSTM":
        shape = (shape[0], neuron.out_channels, *shape[2:])
    mem, syn, inh, spk = (np.zeros(shape) for _ in range(4))
    record = []
    for input_ in x:
        current, old = input_, mem
        fired = (mem > theta).astype(float)
        if name in ("RLeaky", "RSynaptic"):
            current = current + feedback(spk)
        if name == "Leaky" and mechanism == "zero":
            mem = beta * (1 - fired) * mem + current
        elif name in ("Leaky", "RLeaky"):
            mem = reset(beta * mem + current, fired)
        elif name == "Lapicque":
            rate = values["time_step"] / (values["R"] * values["C"])
            mem = reset(current * values["R"] * rate + (1 - rate) * mem, fired)
        elif name in ("Synaptic", "RSynaptic"):
            syn = alpha * syn + current
            mem = reset(beta * mem + syn, fired)
        elif name == "Alpha":
            tau = np.log(alpha) / (np.log(beta) - np.log(alpha)) + 1
            syn = alpha * syn + current
            inh = beta * inh - current
            if mechanism == "subtract":
                syn = syn - fired * theta / tau
            elif mechanism == "zero":
                syn, inh = syn * (1 - fired), inh * (1 - fired)
            mem = tau * (syn + inh)
        elif name == "DeltaLeaky":
            mem = beta * mem + current
        elif name == "SLSTM":
            gates = current @ values["lstm_cell.weight_ih"].T + values["lstm_cell.bias_ih"]
            gates = gates + mem @ values["lstm_cell.weight_hh"].T + values["lstm_cell.bias_hh"]
            i, f, c, o = np.split(gates, 4, axis=1)
            syn = sigmoid(f) * syn + sigmoid(i) * np.tanh(c)
            mem = reset(sigmoid(o) * np.tanh(syn), fired)
        elif name == "SConv2dLSTM":
            both = np.concatenate((current, mem), axis=1)
            gates = conv2d_same(both, values["conv.weight"], values["conv.bias"])
            i, f, o, c = np.split(gates, 4, axis=1)
            syn = sigmoid(f) * syn + sigmoid(i) * np.tanh(c)
            mem = reset(sigmoid(o) * np.tanh(syn), fired)
        else:
            raise AssertionError(f"no reference for {name}")
        excess = mem - theta
        if name == "DeltaLeaky":
            excess = np.abs(mem - old) - neuron.delta_threshold.double().numpy()
        if name == "SConv2dLSTM" and neuron.max_pool:
            k = neuron.max_pool
            b, c, h, w = mem.shape
            excess = mem.reshape(b, c, h // k, k, w // k, k).max((3, 5)) - theta
        crossing = (excess > 0).astype(float)
        spk = g * crossing
        if not delay and mechanism != "none":
            mem = reset(mem, crossing - fired)
        states = {
            "Alpha": (syn, inh, mem),
            "DeltaLeaky": (mem, old),
        }.get(name, (syn, mem) if alpha is not None or "LSTM" in name else (mem,))
        record.append((spk, *states))
    return [np.stack(parts) for parts in zip(*record, strict=True)]
