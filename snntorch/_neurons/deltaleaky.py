"""Leaky neuron that fires on change."""

from __future__ import annotations

from typing import Any, ClassVar

from torch import Tensor

from snntorch._checks import expect
from snntorch._kernels.equations import States, decayed, in_dtype
from snntorch._neurons.leaky import Leaky

__all__ = ["DeltaLeaky"]


class DeltaLeaky(Leaky):
    r"""Leaky integrator that fires when its membrane changes, not when it is high.

    Choose it to send on changes only, as event cameras and delta-sigma encoders do.

    .. math::
        U[t] &= \beta U[t-1] + x[t] \\
        S[t] &= g\,H(|U[t] - U[t-1]| - \delta)

    with membrane potential :math:`U` (``mem``; the one before is ``mem_prev``), input
    :math:`x` (``input_``), spikes :math:`S` (``spk``), decay rate :math:`\beta`
    (``beta``, per time step), spike size :math:`g` (``graded_spikes_factor``) and the
    change :math:`\delta` (``delta_threshold``) that fires. Nothing is reset.

    Args:
        delta_threshold: Change of the membrane potential above which it fires; one
            number, or one per neuron.
        *args: As :class:`~snntorch.Leaky`, from ``beta`` on.
        **kwargs: As :class:`~snntorch.Leaky`. ``threshold`` has no effect.

    Shape:
        - ``input_``: (batch, ...) of any shape.
        - ``mem``, ``mem_prev``: as ``input_``; or empty (zeros), or anything that expands
          to it. Both may be passed as one tuple, as they are returned.
        - returns ``spk, (mem, mem_prev)``, each as ``input_``; ``spk`` alone with
          ``init_hidden=True, output=False``.

    Raises:
        ValueError: If a reset is asked for, or a state does not fit the input.
        TypeError: If a state is passed with ``init_hidden=True``.

    Note:
        snnTorch 1.0.0 ignores ``reset_mechanism``, ``inhibition``, ``state_quant``,
        ``output`` and graded spikes. Here all but a reset are applied; that is an error.

    References:
        T. Delbruck, B. Linares-Barranco, E. Culurciello, C. Posch (2010). Activity-driven,
        event-based vision sensors. ISCAS 2010, 2426-2429.
        DOI 10.1109/ISCAS.2010.5537149

    Examples:
        >>> import torch, snntorch as snn
        >>> neuron = snn.DeltaLeaky(delta_threshold=0.5, beta=1.0)
        >>> state = neuron.reset_mem()
        >>> for x in (1.0, 0.1, -1.0):
        ...     spk, state = neuron(torch.tensor([x]), state)
        ...     print(int(spk))
        1
        0
        1
    """

    model: ClassVar[str | None] = None
    state_names: ClassVar[tuple[str, ...]] = ("mem", "mem_prev")
    # Nothing to reset; released checkpoints say 0 here
    reset_mechanisms: ClassVar[tuple[str, ...]] = ("none",)
    _excess_names: ClassVar[tuple[str, ...]] = ("delta_threshold", "graded_spikes_factor")

    def __init__(self, delta_threshold: Any = 1.0, *args: Any, **kwargs: Any) -> None:
        kwargs.setdefault("reset_mechanism", "none")
        super().__init__(*args, **kwargs)
        expect(self.reset_delay, self, "no `reset_delay`: nothing is reset", "reset_delay=False")
        self._register("delta_threshold", delta_threshold, persistent=False)

    @staticmethod
    def step(input_: Tensor, mem: Tensor, mem_prev: Tensor, *, beta: Tensor) -> States:  # type: ignore[override]
        """Return the new membrane, and the one before it."""
        return decayed(beta, mem) + input_, mem

    def readout(self, *states: Tensor) -> Tensor:
        """Return the change of the membrane potential."""
        mem, mem_prev = states
        return (mem - mem_prev).abs()

    def _over_threshold(self, mem: Tensor) -> Tensor:
        return mem - in_dtype(self._value("delta_threshold"), mem.dtype)

    def forward(
        self,
        input_: Tensor,
        mem: Tensor | States | None = None,
        mem_prev: Tensor | None = None,
    ) -> Any:
        """Run one time step; returns ``spk, (mem, mem_prev)``."""
        states = mem if isinstance(mem, tuple) else (mem, mem_prev)
        what = "`mem` to be a tensor, or both of (mem, mem_prev)"
        expect(len(states) == 2, self, what, f"{len(states)} values")
        result = self._advance(input_, *states)
        return self._as_returned(result) if isinstance(result, tuple) else result

    def _as_returned(self, out: tuple[Tensor, ...]) -> Any:
        return out[0], out[1:]
