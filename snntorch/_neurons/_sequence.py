"""What the neurons that take a whole sequence in one call share."""

from __future__ import annotations

from typing import Any, ClassVar

from torch import Tensor

from snntorch._checks import expect, expect_as_weights, expect_real, expect_tensor, shape_of
from snntorch._neurons.neurons import SpikingNeuron


def expect_sequence(
    owner: object,
    name: str,
    value: Any,
    features: int,
    batched: bool = True,
    weight: Tensor | None = None,
) -> None:
    """Raise unless ``value`` is a sequence of at least one step.

    Args:
        owner: Who expects it.
        name: Name of the argument.
        value: What came.
        features: Size that the last dimension has to have.
        batched: ``False`` accepts (time, features) besides (time, batch, features).
        weight: What it is multiplied by first, if there is such a matrix.

    Raises:
        TypeError: If ``value`` is not a tensor, complex, or not of the dtype of ``weight``.
        ValueError: If it has another shape.
    """
    expect_tensor(owner, name, value)
    expect_real(owner, name, value)
    got = shape_of(value)
    fits = (len(got) == 3 or (len(got) == 2 and not batched)) and got[-1] == features
    expect(
        fits and got[0] > 0,
        owner,
        f"`{name}` of shape (time, batch, {features}), a sequence of at least one step",
        got,
        "Collect the steps with torch.stack(steps); for one step pass step.unsqueeze(0).",
    )
    if weight is not None:
        expect_as_weights(owner, name, value, weight)


class SequenceNeuron(SpikingNeuron):
    """Parent of the neurons that sum over a whole sequence in one call.

    A spike resets nothing, as the sum is taken at once; and nothing is kept for the next
    call, which starts from zero.
    """

    state_names: ClassVar[tuple[str, ...]] = ()

    @property
    def reset_mechanism(self) -> str:
        """Always ``"none"``."""
        return "none"

    @reset_mechanism.setter
    def reset_mechanism(self, mechanism: str) -> None:
        expect(mechanism == "none", self, '`reset_mechanism` to stay "none"', repr(mechanism))

    def _load_from_state_dict(self, *args: Any, **kwargs: Any) -> None:
        super()._load_from_state_dict(*args, **kwargs)
        self._value("reset_mechanism_val").fill_(self.reset_mechanisms.index("none"))
