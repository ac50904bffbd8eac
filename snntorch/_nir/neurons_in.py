"""NIR neurons as neurons of this package."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import nn

from snntorch import surrogate
from snntorch._checks import expect
from snntorch._neurons._recurrent import SameConv2d
from snntorch._neurons.lapicque import Lapicque
from snntorch._neurons.leaky import Leaky
from snntorch._neurons.neurons import SpikingNeuron
from snntorch._neurons.rleaky import RLeaky
from snntorch._neurons.rsynaptic import RSynaptic
from snntorch._neurons.synaptic import Synaptic
from snntorch._nir.facts import TOLERANCE, same, told
from snntorch._nir.layers_in import LAYERS, tensor
from snntorch._nir.net import Membrane, Scale
from snntorch._nir.units import INTEGRATORS, OWNER, Unit, refuse

#: The neurons of each kind of node, without and with feedback.
_KINDS: dict[bool, tuple[tuple[type[SpikingNeuron], ...], tuple[type[SpikingNeuron], ...]]] = {
    False: ((Leaky, Lapicque), (RLeaky,)),
    True: ((Synaptic,), (RSynaptic,)),
}


@dataclass
class Equation:
    """What a node says, as an update of one time step.

    Attributes:
        decays: Decay rates by name.
        gain: What the input is multiplied by.
        shift: What is added to the input.
        threshold: Above what it fires; infinite if it does not.
        notes: What has to be known of it.
    """

    decays: dict[str, Any]
    gain: Any
    shift: Any
    threshold: Any
    notes: list[str] = field(default_factory=list)


def equation(unit: Unit, dt: float) -> Equation:
    """Return the Euler step of a node's differential equation.

    Raises:
        ValueError: If the potentials are such that no neuron of this package has them.
    """
    node, where = unit.node, f"node {unit.name!r} ({unit.kind})"
    shape = np.shape(node.r)
    values = {}
    for name in ("r", "tau", "tau_mem", "tau_syn", "w_in", "v_leak", "v_reset", "v_threshold"):
        if hasattr(node, name):
            value = np.asarray(getattr(node, name), float)
            fits = value.shape == shape or value.size == 1
            expect(fits, OWNER, f"`{name}` of shape {shape}, as `r`, at {where}", value.shape)
            values[name] = np.broadcast_to(value, shape)
    zero, notes = np.zeros(shape), []
    leak, reset = values.get("v_leak", zero), values.get("v_reset", zero)
    threshold = values.get("v_threshold", np.full(shape, np.inf))
    tau = values.get("tau", values.get("tau_mem"))
    decays = {} if "tau_syn" not in values else {"alpha": 1 - dt / values["tau_syn"]}
    if tau is None:
        decays["beta"], gain = np.ones(shape), dt * values["r"]
    else:
        decays["beta"], gain = 1 - dt / tau, dt * values["r"] / tau
    if "w_in" in values:
        gain = gain * dt * values["w_in"] / values["tau_syn"]
    shift = zero
    if reset.any():
        rest = np.array_equal(reset, leak)
        hint = "Set v_reset to 0, or to v_leak: what is at rest starts there."
        expect(rest, OWNER, f"v_reset of 0 of {where}", reset.flat[int(reset.argmax())], hint)
        threshold = threshold - leak
        notes.append("mem counts from v_leak, which is v_reset")
    elif leak.any():
        hint = "Shift the node's potentials so that it is 0."
        expect("w_in" not in values, OWNER, f"v_leak of 0 of {where}", leak.max(), hint)
        shift = (1 - decays["beta"]) * leak
        notes.append("v_leak is a constant input")
    return Equation(decays, gain, shift, threshold, notes)


class _Maker:
    """Makes one neuron from what a node says and what is noted on it."""

    def __init__(self, unit: Unit, dt: float, dtype: torch.dtype) -> None:
        self.unit, self.dt, self.dtype = unit, dt, dtype
        self.where = f"node {unit.name!r} ({unit.kind})"
        self.said = equation(unit, dt)
        self.notes = self.said.notes
        facts = told(unit.node)
        plain, recurrent = _KINDS["alpha" in self.said.decays]
        known = recurrent if unit.feedback is not None else plain
        names = {cls.__name__: cls for cls in known}
        self.cls = names.get(str(facts.get("neuron")), known[0])
        self.facts = facts if facts.get("neuron") in names else {}
        self.learned = str(self.facts.get("learn", "")).split(",")

    def value(self, name: str, said: Any, least: float = -np.inf, most: float = np.inf) -> Any:
        """Return a value as it was before it was expanded, if the node still says the same."""
        noted = self.facts.get(name)
        if noted is not None:
            if not isinstance(noted, str) and same(np.clip(noted, least, most), said):
                return tensor(noted, self.dtype)
            self.notes.append(f"{name} is the node's; another is noted on it")
        first = said.flat[0] if said.size else 0.0
        return tensor(first if (said == first).all() and not self.facts else said, self.dtype)

    def neuron(self, output: bool) -> Any:
        """Return the neuron."""
        options = self._options(output)
        if self.cls is Lapicque:
            found = self._lapicque(options)
            if found is not None:
                return found
            self.cls = Leaky
        for name, said in self.said.decays.items():
            self._expect_short(said)
            options[name] = self.value(name, said, 0, 1)
            options[f"learn_{name}"] = name in self.learned
        if self.cls is Leaky:
            options |= self._graded()
        if self.unit.feedback is not None:
            return self._recurrent(options)
        return self.cls(**options)

    def _expect_short(self, decay: Any) -> None:
        """Raise ``ValueError`` if a step is longer than a time constant: it would overshoot."""
        if decay.min() < -TOLERANCE:
            shortest = self.dt / (1 - float(decay.min()))
            refuse(
                f"time constants of at least dt={self.dt:g} at {self.where}",
                f"{shortest:.3g}",
                f"Pass dt={shortest:.3g} or less, or the time step the graph was made for.",
            )

    def _options(self, output: bool) -> dict[str, Any]:
        """Return the arguments that all neurons have."""
        facts, unit = self.facts, self.unit
        resets = unit.kind not in INTEGRATORS
        mechanism = str(facts.get("reset_mechanism", "zero" if resets else "none"))
        if not resets and unit.threshold is not None:
            said = np.asarray(unit.threshold.threshold, float)
        else:
            said = self.said.threshold
        if not resets and unit.threshold is None and "threshold" in facts:
            threshold = tensor(facts["threshold"], self.dtype)  # nothing reads it
        else:
            threshold = self.value("threshold", said)
        if not resets and not bool(torch.isinf(threshold).all()):
            mechanism = "none"
        options = {
            "threshold": threshold,
            "learn_threshold": "threshold" in self.learned,
            "reset_mechanism": mechanism,
            "init_hidden": True,
            "output": output or self.gives_membrane,
            "inhibition": bool(facts.get("inhibition", False)),
            **self._surrogate(),
        }
        if self.cls is not Lapicque:
            options["reset_delay"] = bool(facts.get("reset_delay", False))
        self._tell_of_reset(resets, mechanism, bool(facts.get("reset_delay", False)))
        if options["inhibition"]:
            self.notes.append("inhibition: NIR lets all neurons fire")
        return options

    @property
    def gives_membrane(self) -> bool:
        """Whether the output is the membrane potential."""
        return self.unit.kind in INTEGRATORS and self.unit.threshold is None

    def _tell_of_reset(self, resets: bool, mechanism: str, delayed: bool) -> None:
        if not resets:
            return
        if not self.facts:
            self.notes.append("reset to zero at once, as NIR says")
        elif mechanism != "zero" or (delayed and self.cls is not Leaky):
            when = "in the next step" if delayed else "at once"
            self.notes.append(f"reset {mechanism!r} {when} is metadata: NIR's is to zero at once")
        elif delayed:
            self.notes.append("the spikes of NIR's reset at once; mem shows it a step later")

    def _surrogate(self) -> dict[str, Any]:
        name = str(self.facts.get("surrogate", ""))
        if name == "none":
            return {"surrogate_disable": True}
        factory = getattr(surrogate, name, None) if name in surrogate.__all__ else None
        if factory is None or "surrogate_values" not in self.facts:
            if name:
                self.notes.append("spike_grad is a function of one's own: atan() in its place")
            return {}
        return {"spike_grad": factory(*map(float, np.atleast_1d(self.facts["surrogate_values"])))}

    def _graded(self) -> dict[str, Any]:
        node = self.unit.graded
        if node is None:
            return {}
        noted = told(node)
        scale = np.asarray(node.scale, float)
        factor = noted["graded_spikes_factor"]
        chosen = factor if same(factor, scale) else scale
        return {
            "graded_spikes_factor": tensor(chosen, self.dtype),
            "learn_graded_spikes_factor": bool(noted.get("learn", False)),
        }

    def _lapicque(self, options: dict[str, Any]) -> SpikingNeuron | None:
        """Return the neuron of the resistance and capacitance noted, if the node says the same."""
        names = ("beta", "R", "C", "time_step")
        if any(name not in self.facts for name in names):
            return None
        values = {name: tensor(self.facts[name], self.dtype) for name in names}
        learn = "beta" in self.learned
        if not learn:
            given: dict[str, Any] = {"R": values["R"], "C": values["C"]}
        elif self.facts.get("capacitance_given"):
            given = {"beta": values["beta"], "C": values["C"]}
        else:
            given = {"beta": values["beta"], "R": values["R"]}
        made = Lapicque(**given, time_step=values["time_step"], learn_beta=learn, **options)
        if not learn:
            made.beta = values["beta"]
        made.R, made.C = values["R"], values["C"]
        now = {n: v.detach().double().numpy() for n, v in made.step_parameters().items()}
        agrees = same(1 - now["leak"], self.said.decays["beta"])
        if agrees and same(now["R"] * now["share"], self.said.gain):
            self.said.gain = np.ones(())
            return made
        self.notes.append("R, C are the node's; others are noted on it")
        return None

    def _recurrent(self, options: dict[str, Any]) -> Any:
        recurrent: Any = self.cls
        node, shape = self.unit.feedback, np.shape(self.unit.node.r)
        if node is self.unit.node or type(node).__name__ == "Scale":
            said = np.ones(shape) if node is self.unit.node else np.asarray(node.scale, float)
            learn = "V" in self.learned or not self.facts
            return recurrent(
                **options, V=self.value("V", said), all_to_all=False, learn_recurrent=learn
            )
        layer = LAYERS[type(node).__name__](node, self.dtype, self.dt)
        learn = bool(self.facts.get("learn_recurrent", True))
        if isinstance(layer, nn.Linear):
            neuron = recurrent(**options, linear_features=layer.in_features, learn_recurrent=learn)
        else:
            layer = _same_size(layer, told(node))
            kernel = layer.kernel_size if isinstance(layer, nn.Conv2d) else layer.kernel_size[0]
            sizes = {"conv2d_channels": layer.in_channels, "kernel_size": kernel}
            neuron = recurrent(**options, **sizes, learn_recurrent=learn)
        neuron.recurrent = layer.requires_grad_(learn)
        return neuron


def _same_size(layer: Any, facts: dict[str, Any]) -> Any:
    """Return a convolution that was exported from feedback as the one that feedback has."""
    if not isinstance(layer, nn.Conv2d):
        return layer
    kernel = [int(side) for side in facts.get("feedback_kernel", layer.kernel_size)]
    even = [1 - side % 2 for side in kernel]
    fits = tuple(side + more for side, more in zip(kernel, even, strict=True))
    usual = layer.groups == 1 and set(layer.stride) == set(layer.dilation) == {1}
    if not usual or fits != layer.kernel_size or layer.padding != tuple(s // 2 for s in kernel):
        return layer
    weight = layer.weight.detach()
    if weight[:, :, : even[0]].any() or weight[..., : even[1]].any():
        return layer
    same_size = SameConv2d(layer.in_channels, layer.out_channels, kernel, layer.bias is not None)
    same_size.weight = nn.Parameter(weight[:, :, even[0] :, even[1] :].clone())
    same_size.bias = layer.bias
    return same_size


def to_neuron(
    unit: Unit, dt: float, dtype: torch.dtype, output: bool = False
) -> tuple[list[nn.Module], list[str]]:
    """Return the layers of a neuron, and what has to be known of them.

    Args:
        unit: A neuron's nodes.
        dt: Length of a time step.
        dtype: Of its parameters.
        output: Whether the neuron is to return its states besides spikes.

    Returns:
        What scales its input, if needed; the neuron; and for an integrator what picks its
        membrane potential.
    """
    maker = _Maker(unit, dt, dtype)
    neuron = maker.neuron(output)
    layers: list[nn.Module] = [neuron]
    gain, shift = maker.said.gain, maker.said.shift
    if not same(gain, 1.0) or np.any(shift):
        layers.insert(0, Scale(tensor(_one(gain), dtype), tensor(_one(shift), dtype)))
        spread = f"{np.min(gain):.6g}"
        if np.min(gain) != np.max(gain):
            spread += f" to {np.max(gain):.6g}"
        maker.notes.append(f"the input is multiplied by {spread}, which is what r and dt say")
    if maker.gives_membrane:
        layers.append(Membrane())
    return layers, maker.notes


def _one(values: Any) -> Any:
    """Return one number for values that are all the same."""
    values = np.asarray(values)
    return values.flat[0] if (values == values.flat[0]).all() else values
