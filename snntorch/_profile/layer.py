"""What one layer costs."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from snntorch._profile.energy import Energy, EnergyTable, table_of


def _share(part: float, whole: float) -> float | None:
    return part / whole if whole else None


@dataclass(frozen=True)
class LayerProfile:
    """What one layer costs, of a :class:`Profile`: numbers of one sample, over all of time.

    A product is *effective* if neither factor is zero. It is an accumulation (AC) where an input
    or a neuron's weights are -1, 0 and 1 only, as spikes are; else it multiplies, too (MAC).

    Attributes:
        name: Name of the module in the net; ``"total"`` for all.
        kind: Its class.
        parameters: Number of its parameters, learned or not; not those of layers within it.
        footprint: Bytes of parameters and buffers; states do not count.
        dense: Synaptic operations, whatever the factors are.
        macs: Effective multiply-accumulates.
        acs: Effective accumulations.
        other_macs: Multiply-accumulates besides: one for each state and update of a neuron, one
            for each entry that is normalized.
        other_acs: Additions of average pooling.
        weights: Number of weights by which it multiplied.
        zero_weights: Number of these that are zero.
        outputs: Number of values that a neuron, or an activation such as ReLU, returned.
        zero_outputs: Number of these that are zero.
        spikes: Number of those that are not zero, of a neuron.
        neuron_outputs: Number of values that a neuron returned.
        updates: How often a membrane potential was computed.
        membrane_updates: How often it changed; each counts in a neuron's first step.
        weight_reads: How often a weight was read, once for each effective operation.
        state_accesses: How often a state was read or written.
        weight_bytes: Bytes of the weights read.
        state_bytes: Bytes of the states read and written.
        state_footprint: Bytes of the states that neurons and delays hold.
    """

    name: str
    kind: str
    parameters: int = 0
    footprint: int = 0
    dense: float = 0
    macs: float = 0
    acs: float = 0
    other_macs: float = 0
    other_acs: float = 0
    weights: int = 0
    zero_weights: int = 0
    outputs: float = 0
    zero_outputs: float = 0
    spikes: float = 0
    neuron_outputs: float = 0
    updates: float = 0
    membrane_updates: float = 0
    weight_reads: float = 0
    state_accesses: float = 0
    weight_bytes: float = 0
    state_bytes: float = 0
    state_footprint: float = 0

    @property
    def connection_sparsity(self) -> float | None:
        """Share of the weights that are zero; None without weights."""
        return _share(self.zero_weights, self.weights)

    @property
    def activation_sparsity(self) -> float | None:
        """Share of the outputs of neurons and activations that are zero; None without any."""
        return _share(self.zero_outputs, self.outputs)

    @property
    def spike_rate(self) -> float | None:
        """Spikes per neuron and time step; None without neurons."""
        return _share(self.spikes, self.neuron_outputs)

    def energy(self, table: str | EnergyTable = "float32") -> Energy:
        """Return the energy that operations and memory take, see :class:`EnergyTable`.

        Args:
            table: Energies, or the name of one in ``EnergyTable.named``.

        Raises:
            ValueError: If there is no table of that name.
            TypeError: If ``table`` is neither.
        """
        costs = table_of(self, table)
        macs, acs = self.macs + self.other_macs, self.acs + self.other_acs
        accesses = self.weight_reads + self.state_accesses
        return Energy(macs * costs.mac + acs * costs.add, accesses * costs.width * costs.access)

    def to_dict(self) -> dict[str, Any]:
        """Return all numbers by name, with the shares that follow from them."""
        shares = ("connection_sparsity", "activation_sparsity", "spike_rate")
        return {**asdict(self), **{name: getattr(self, name) for name in shares}}
