"""Calls that work, of every public callable: arguments, and what they are made of."""

from __future__ import annotations

import atexit
import inspect
import shutil
import tempfile
from collections.abc import Callable
from functools import cache
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import torch
from torch import Tensor, nn

import snntorch as snn
import snntorch.functional as SF
from snntorch import pretrained, surrogate
from snntorch.export_nir import export_to_nir
from tests.cases import FACTORIES, window

mpl.use("Agg")

#: A function and its arguments by name; by position where the name is a number.
Call = tuple[Callable[..., Any], dict[Any, Any]]


T, BATCH, CLASSES = 5, 4, 3


def spikes(*shape: int) -> Tensor:
    return torch.rand(*shape or (T, BATCH, CLASSES)).round()


def labels() -> Tensor:
    return torch.randint(CLASSES, (BATCH,))


def net(output: bool = True) -> nn.Sequential:
    return nn.Sequential(nn.Linear(3, CLASSES), snn.Leaky(0.9, init_hidden=True, output=output))


class Looping(nn.Module):
    """A net with its loop over time in `forward`."""

    def __init__(self) -> None:
        super().__init__()
        self.fc, self.lif = nn.Linear(3, CLASSES), snn.Leaky(0.9)

    def forward(self, x: Tensor) -> Tensor:
        mem, record = self.lif.init_leaky(), []
        for step in x:
            spk, mem = self.lif(self.fc(step), mem)
            record.append(spk)
        return torch.stack(record)


def drawing(function: Callable[..., Any], **arguments: Any) -> Call:
    """Return a call that draws on a figure of its own."""
    plt.close("all")
    fig, ax = plt.subplots(figsize=(2, 2))
    at_hand = {"fig": fig, "ax": ax}
    taken = inspect.signature(function).parameters
    return function, {n: v for n, v in at_hand.items() if n in taken} | arguments


@cache
def recordings() -> Path:
    """Return a folder with recordings, removed with the process."""
    from tests.test_spikevision import FILL  # noqa: PLC0415 (only here)

    folder = Path(tempfile.mkdtemp(prefix="fuzz"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    for fill in FILL.values():
        fill(folder)
    return folder


Arguments = dict[Any, Any]


def data() -> SimpleNamespace:
    return SimpleNamespace(data=torch.rand(12, 2), targets=list(range(12)))


def image() -> Arguments:
    return {"data": torch.rand(3, 4)}


def times() -> Arguments:
    return {"spike_time": torch.tensor([0.0, 2.0]), "num_steps": T}


def record() -> Arguments:
    return {"spk_out": spikes(), "targets": labels()}


def series() -> Arguments:
    return {"input_": torch.rand(T, BATCH, 3)}


def events(columns: int) -> Arguments:
    addrs = np.zeros((4, columns), int)
    return {"times": np.arange(4), "addrs": addrs, "deltat": 1}


def weights_of(lif: Any = None) -> Arguments:
    return {"weight": torch.rand(4, 50), "neuron": lif or snn.Leaky(0.5), "rate": 0.1}


def passing(layer: nn.Module, in_spike: Any, out_spike: Any, name: str, **more: Any) -> Arguments:
    """Return what one step of a learning rule takes."""
    given = {name: layer, "in_spike": in_spike, "out_spike": out_spike}
    traces = {"trace_pre": torch.zeros_like(in_spike), "trace_post": None}
    return {**given, **traces, "tau_pre": 2.0, "tau_post": 3.0, **more}


def dense(**more: Any) -> Arguments:
    return passing(nn.Linear(3, 2), spikes(BATCH, 3), spikes(BATCH, 2), "fc", **more)


def conv(axes: int) -> Arguments:
    layer = (nn.Conv1d, nn.Conv2d)[axes - 1](1, 2, 2)
    return passing(layer, spikes(BATCH, 1, *[4] * axes), spikes(BATCH, 2, *[3] * axes), "conv")


def training(**more: Any) -> Arguments:
    learner = net()
    return {
        "net": learner,
        "dataloader": [(torch.rand(T, BATCH, 3), labels())],
        "optimizer": torch.optim.SGD(learner.parameters(), 0.1),
        "criterion": SF.ce_rate_loss(),
        **more,
    }


def watching(**more: Any) -> Arguments:
    return {"net": net(), "instance": snn.Leaky, **more}


def chain() -> Any:
    return export_to_nir(net(output=False), torch.rand(1, 3))


#: What a function, or the constructor of a class, works with.
FUNCTIONS: dict[str, Callable[[], Arguments]] = {
    "snntorch.BatchNormTT1d": lambda: {"input_features": 3, "time_steps": 2},
    "snntorch.BatchNormTT2d": lambda: {"input_features": 3, "time_steps": 2},
    "snntorch.Energy": lambda: {"operations": 1.0, "memory": 2.0},
    "snntorch.EnergyTable": lambda: dict(vars(snn.EnergyTable.named["int8"])),
    "snntorch.LIF": lambda: {"beta": 0.9},
    "snntorch.LayerProfile": lambda: {"name": "0", "kind": "Linear"},
    "snntorch.Plan": lambda: {"net": "Net", "stages": (), "notes": ()},
    "snntorch.Profile": lambda: {"net": "Net", "layers": (), "steps": 1, "samples": 1},
    "snntorch.SpikingNeuron": dict,
    "snntorch.SpikingNeuron.detach": lambda: {0: torch.rand(3)},
    "snntorch.SpikingNeuron.zeros": lambda: {0: torch.rand(3)},
    "snntorch.Stage": lambda: {"kind": "loop", "name": "0", "module": nn.ReLU()},
    "snntorch.deferred": lambda: {"chunk": 2},
    "snntorch.fuse": lambda: {"net": Looping(), "chunk": 2},
    "snntorch.plan": lambda: {"net": net(), "x": torch.rand(T, BATCH, 3)},
    "snntorch.profile": lambda: {"net": net(), "x": torch.rand(T, BATCH, 3)},
    "snntorch.unfuse": lambda: {"net": snn.fuse(Looping())},
    "snntorch.unroll": lambda: {"net": net(), "x": torch.rand(T, BATCH, 3)},
    "snntorch.AssociativeLeaky.from_num_spiking_neurons": lambda: {
        "in_dim": 3,
        "num_spiking_neurons": 4,
    },
    "snntorch.backprop.BPTT": training,
    "snntorch.backprop.RTRL": training,
    "snntorch.backprop.TBPTT": lambda: training(K=2),
    **dict.fromkeys(
        ("snntorch.export.export_to_nir", "snntorch.export_nir.export_to_nir"),
        lambda: {"module": net(output=False), "sample_data": torch.rand(1, 3)},
    ),
    "snntorch.functional.BaseMonitor": dict,
    "snntorch.functional.LossFunctions": lambda: {"reduction": "mean", "weight": None},
    "snntorch.functional.AttributeMonitor": lambda: watching(
        attribute_name="mem", pre_forward=False
    ),
    "snntorch.functional.GradInputMonitor": watching,
    "snntorch.functional.GradOutputMonitor": watching,
    "snntorch.functional.InputMonitor": watching,
    "snntorch.functional.OutputMonitor": watching,
    "snntorch.functional.accuracy_rate": record,
    "snntorch.functional.accuracy_temporal": record,
    "snntorch.functional.quant.StateQuant.apply": lambda: {
        0: torch.rand(BATCH, 3),
        1: torch.tensor([0.0, 0.5, 1.0]),
    },
    "snntorch.functional.quant.StateQuantizer": lambda: {
        "num_bits": 2,
        "uniform": True,
        "thr_centered": True,
        "threshold": 1.0,
        "lower_limit": 0.0,
        "upper_limit": 0.2,
        "multiplier": None,
    },
    "snntorch.functional.stdp_learner.STDPLearner": lambda: {
        "synapse": nn.Linear(3, 2),
        "sn": snn.Leaky(0.9, init_hidden=True),
        "tau_pre": 2.0,
        "tau_post": 2.0,
    },
    "snntorch.functional.stdp_learner.mstdp_linear_single_step": dense,
    "snntorch.functional.stdp_learner.mstdpet_linear_single_step": lambda: dense(
        tau_trace=5.0, eligibility=torch.rand(BATCH, 2, 3)
    ),
    "snntorch.functional.stdp_learner.stdp_conv1d_single_step": lambda: conv(1),
    "snntorch.functional.stdp_learner.stdp_conv2d_single_step": lambda: conv(2),
    "snntorch.functional.stdp_learner.stdp_linear_single_step": dense,
    "snntorch.import_nir.import_from_nir": lambda: {"graph": chain()},
    "snntorch.nir.Line": lambda: {"name": "0", "node": "LIF", "layer": "Leaky", "notes": ()},
    "snntorch.nir.Report": lambda: {"dt": 1e-4, "notes": (), "lines": ()},
    "snntorch.nir.report": lambda: {"graph": chain()},
    "snntorch.pretrained.Description": lambda: dict(vars(pretrained.describe("digits"))),
    "snntorch.pretrained.describe": lambda: {"name": "digits"},
    "snntorch.pretrained.load": lambda: {"name": "digits"},
    "snntorch.pretrained.names": dict,
    "snntorch.spikegen.delta": image,
    "snntorch.spikegen.from_one_hot": lambda: {"one_hot_label": torch.eye(3)},
    "snntorch.spikegen.latency": lambda: {**image(), "num_steps": T, "normalize": True},
    "snntorch.spikegen.latency_code": lambda: {**image(), "num_steps": T},
    "snntorch.spikegen.latency_code_linear": lambda: {**image(), "num_steps": T},
    "snntorch.spikegen.latency_code_log": lambda: {**image(), "num_steps": T},
    "snntorch.spikegen.latency_interpolate": times,
    "snntorch.spikegen.rate": lambda: {**image(), "num_steps": T},
    "snntorch.spikegen.rate_conv": image,
    "snntorch.spikegen.rate_interpolate": times,
    "snntorch.spikegen.target_rate_code": lambda: {"num_steps": T, "rate": 0.5},
    "snntorch.spikegen.targets_convert": lambda: {"targets": labels(), "num_classes": CLASSES},
    "snntorch.spikegen.targets_latency": lambda: {
        "targets": labels(),
        "num_classes": CLASSES,
        "num_steps": T,
        "normalize": True,
    },
    "snntorch.spikegen.targets_rate": lambda: {
        "targets": labels(),
        "num_classes": CLASSES,
        "num_steps": T,
    },
    "snntorch.spikegen.to_one_hot": lambda: {"targets": labels(), "num_classes": CLASSES},
    "snntorch.spikegen.to_one_hot_inverse": lambda: {"one_hot_targets": torch.eye(3)},
    "snntorch.spikevision.events_timeslices.chunk_evs_pol_dvs": lambda: {
        **events(3),
        "chunk_size": T,
        "size": (2, 4, 4),
    },
    "snntorch.spikevision.events_timeslices.frame_evs": lambda: {
        **events(1),
        "duration": T,
        "size": (4,),
    },
    "snntorch.surrogate.SurrogateGradient": lambda: {
        "name": "atan",
        "function": surrogate.ATan,
        "values": (2.0,),
    },
    "snntorch.surrogate.traceable": dict,
    "snntorch.testing.check_neuron": lambda: {
        "cls": snn.Leaky,
        "kwargs": {"beta": 0.9},
        "laws": ["samples"],
    },
    "snntorch.utils.data_subset": lambda: {"dataset": data(), "subset": 3},
    "snntorch.utils.reset": lambda: {"net": net()},
    "snntorch.utils.valid_split": lambda: {"ds_train": data(), "ds_val": data(), "split": 0.3},
    "snntorch.weight_init.fluctuation_driven_centered_normal_": weights_of,
    "snntorch.weight_init.fluctuation_driven_normal_": weights_of,
}
#: What the result of a constructor is called with at once, as some arguments count only then.
USES: dict[str, Callable[[Any], Any]] = {
    "snntorch.fuse": lambda fused: fused(torch.rand(T, BATCH, 3)),
    "snntorch.functional.quant.StateQuantizer": lambda made: made(torch.rand(3)),
    "snntorch.surrogate.SurrogateGradient": lambda made: made(torch.rand(3)),
}
#: Documented to change an argument.
WRITES = {
    "snntorch.SpikingNeuron.zeros": (0,),
    "snntorch.backprop.BPTT": ("net", "optimizer"),
    "snntorch.backprop.RTRL": ("net", "optimizer"),
    "snntorch.backprop.TBPTT": ("net", "optimizer"),
    "snntorch.utils.data_subset": ("dataset",),
    "snntorch.utils.valid_split": ("ds_train", "ds_val"),
    "snntorch.weight_init.fluctuation_driven_centered_normal_": ("weight",),
    "snntorch.weight_init.fluctuation_driven_normal_": ("weight",),
}
RAISES: dict[str, tuple[type[Exception], ...]] = {
    "snntorch.import_nir.import_from_nir": (FileNotFoundError,),
    "snntorch.testing.check_neuron": (AssertionError,),
    "snntorch.nir.report": (FileNotFoundError,),
}
IS_RANDOM = ("rate", "target", "fluctuation")

#: Layers, losses and quantizers: how they are built, and what they are called with.
CALLED: dict[str, tuple[Arguments, Callable[[], Arguments]]] = {
    "snntorch.LeakyParallel": ({"input_size": 3, "hidden_size": 4, "beta": 0.9}, series),
    "snntorch.StateLeaky": ({"beta": 0.9, "channels": 3}, series),
    "snntorch.LinearLeaky": ({"beta": 0.9, "in_features": 3, "out_features": 4}, series),
    "snntorch.AssociativeLeaky": (
        {"in_dim": 3, "d_value": 2, "d_key": 2, "num_spiking_neurons": 4},
        series,
    ),
    "snntorch.GradedSpikes": ({"size": 3, "constant_factor": 0.5}, lambda: {"x": spikes(BATCH, 3)}),
    "snntorch.SynapticDelay": (
        {"max_delay": 3, "channels": 3},
        lambda: {"input_": torch.rand(BATCH, 3)},
    ),
    **{
        f"snntorch.functional.{name}": ({}, record)
        for name in (
            *("SpikeTime", "ce_count_loss", "ce_max_membrane_loss", "ce_rate_loss"),
            *("ce_temporal_loss", "mse_count_loss", "mse_membrane_loss", "mse_temporal_loss"),
        )
    },
    "snntorch.functional.l1_rate_sparsity": ({}, lambda: {"spk_out": spikes()}),
    "snntorch.functional.quant.state_quant": ({}, lambda: {"input_": torch.rand(BATCH, 3)}),
    **{
        f"snntorch.surrogate.{one.__name__}": (
            {"custom_surrogate_function": window} if one is surrogate.custom_surrogate else {},
            lambda: {"x": torch.randn(BATCH, 3)},
        )
        for one in FACTORIES
    },
}
#: Draws a panel of its own.
DRAWN: dict[str, Callable[[], Arguments]] = {
    "animator": lambda: {"data": torch.rand(T, 4, 4)},
    "energy": lambda: {"costs": snn.profile(net(), torch.rand(T, BATCH, 3))},
    "firing_rates": lambda: {"net": net(), "x": torch.rand(T, BATCH, 3)},
    "raster": lambda: {"data": spikes(T, 3)},
    "spike_count": lambda: {"data": spikes(T, 3), "labels": ["a", "b", "c"]},
    "style": dict,
    "summary": lambda: {"net": net(), "x": torch.rand(T, BATCH, 3)},
    "surrogate_gradients": lambda: {"surrogates": [surrogate.atan()]},
    "traces": lambda: {"data": torch.rand(T, 3), "spk": spikes(T, 3)},
    "weights": lambda: {"data": torch.rand(4, 6)},
}
