"""What a whole net costs, to read and to print."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from typing import Any

from snntorch._profile.energy import Energy, EnergyTable, table_of
from snntorch._profile.layer import LayerProfile
from snntorch._units import with_unit

_COLUMNS = (
    *("layer", "kind", "parameters", "zero weights", "dense", "MACs", "ACs"),
    *("updates", "other", "spike rate", "zero outputs", "traffic", "energy"),
)


@dataclass(frozen=True)
class Profile:
    """What a net costs, from :func:`profile`; print it.

    Attributes:
        net: Name of the net's class.
        layers: Its modules that have parameters or did something.
        steps: Number of time steps: the most that any neuron ran.
        samples: Number of samples in the input, by which all that ran is divided.
        uncounted: Operators that multiply and add, but whose operations are not counted.
    """

    net: str
    layers: tuple[LayerProfile, ...]
    steps: int
    samples: int
    uncounted: tuple[str, ...] = ()

    @property
    def total(self) -> LayerProfile:
        """The sum of all layers."""
        names = [field.name for field in fields(LayerProfile)][2:]
        sums = {name: sum(getattr(layer, name) for layer in self.layers) for name in names}
        return LayerProfile("total", self.net, **sums)

    def energy(self, table: str | EnergyTable = "float32") -> Energy:
        """Return the energy of one sample, over all of time, see :class:`EnergyTable`.

        Args:
            table: Energies, or the name of one in ``EnergyTable.named``.

        Raises:
            ValueError: If there is no table of that name.
            TypeError: If ``table`` is neither.
        """
        return self.total.energy(table_of("energy", table))

    def as_ann(self) -> Profile:
        """Return what the same layers cost as a quantized network without spikes.

        It runs once, multiplies all weights, zero or not, and reads each as often, of one byte;
        its activations cost nothing. Its energy is ``costs.as_ann().energy("int8")``.
        """
        layers = []
        for layer in self.layers:
            macs = layer.dense / self.steps
            layers.append(
                LayerProfile(
                    layer.name,
                    layer.kind,
                    layer.parameters,
                    layer.parameters,
                    dense=macs,
                    macs=macs,
                    weights=layer.weights,
                    zero_weights=layer.zero_weights,
                    weight_reads=macs,
                    weight_bytes=macs,
                )
            )
        return Profile(self.net, tuple(layers), 1, self.samples, self.uncounted)

    def to_dict(self) -> dict[str, Any]:
        """Return all numbers: layers by name, their sum, and energies by table, of an ANN, too."""
        return {
            "net": self.net,
            "steps": self.steps,
            "samples": self.samples,
            "layers": {layer.name: layer.to_dict() for layer in self.layers},
            "total": self.total.to_dict(),
            "energy": _by_table(self),
            "ann_energy": _by_table(self.as_ann()),
            "uncounted": list(self.uncounted),
        }

    def __str__(self) -> str:
        rows = [_COLUMNS, *map(_row, (*self.layers, self.total))]
        wide = [max(map(len, column)) for column in zip(*rows, strict=True)]
        lines = [
            "  ".join(
                f"{cell:{'<' if i < 2 else '>'}{width}}"
                for i, (cell, width) in enumerate(zip(row, wide, strict=True))
            ).rstrip()
            for row in rows
        ]
        of = f"1 sample (mean of {self.samples})" if self.samples > 1 else "the input"
        steps = f"{self.steps} step" + "s" * (self.steps != 1)
        tail = [
            _told("energy", self, "float32"),
            _told("energy", self, "int8"),
            _told("energy as an ANN, once", self.as_ann(), "int8"),
        ]
        tail += [f"not counted: {what}" for what in self.uncounted]
        return "\n".join([f"{self.net}, {steps}, for {of}:", *lines, *tail])


def _row(layer: LayerProfile) -> tuple[str, ...]:
    has_work = layer.dense > 0
    return (
        layer.name,
        layer.kind,
        _number(layer.parameters),
        _percent(layer.connection_sparsity),
        *(_number(n) if has_work else "" for n in (layer.dense, layer.macs, layer.acs)),
        _number(layer.updates),
        _number(layer.other_macs + layer.other_acs),
        "" if layer.spike_rate is None else f"{layer.spike_rate:.3f}",
        _percent(layer.activation_sparsity),
        with_unit(layer.weight_bytes + layer.state_bytes, "B"),
        with_unit(layer.energy().total, "J"),
    )


def _told(what: str, costs: Profile, table: str) -> str:
    energy = costs.energy(table)
    total, operations, memory = (
        with_unit(joules, "J") for joules in (energy.total, energy.operations, energy.memory)
    )
    name = EnergyTable.named[table].name
    return f"{what} ({name}): {total}, operations {operations}, memory {memory}"


def _by_table(costs: Profile) -> dict[str, dict[str, float]]:
    return {name: asdict(costs.energy(name)) for name in EnergyTable.named}


def _number(count: float) -> str:
    if not count:
        return ""
    return f"{count:,.0f}" if count == int(count) else f"{count:,.1f}"


def _percent(share: float | None) -> str:
    return "" if share is None else f"{100 * share:.1f} %"
