"""Leaky neuron without reset, for a whole sequence at once."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable
from typing import Any, ClassVar, NoReturn

import torch
from torch import Tensor

from snntorch._checks import expect, expect_count, expect_size, expect_values, owner_name, shape_of
from snntorch._kernels.scan import linear_scan
from snntorch._neurons._docs import shared_arguments
from snntorch._neurons._sequence import SequenceNeuron, expect_sequence
from snntorch._neurons._values import clamped
from snntorch._neurons.neurons import LIF

__all__ = ["StateLeaky"]

#: What a learned tau counts as from here on down: next to nothing is left after one step,
#: yet there is a gradient to come back by.
LEAST_TAU = 0.1


@shared_arguments
class StateLeaky(SequenceNeuron, LIF):
    r"""Leaky neuron without reset that takes a whole sequence in one call.

    Choose it for long sequences: what no spike resets is a plain sum over the past, and
    all steps are computed together.

    .. math::
        U[t] &= \sum_{k=0}^{\min(t,\,K-1)} e^{-k/\tau}\,x[t-k],
        \qquad \tau = \frac{1}{1 - \beta} \\
        S[t] &= g\,H(U[t] - \theta)

    with membrane potential :math:`U` (``mem``), input current :math:`x` (``input_``),
    spikes :math:`S` (``spk``), time constant :math:`\tau` (``tau``, in time steps),
    decay rate :math:`\beta` (``beta``), length of the memory :math:`K`
    (``kernel_truncation_steps``), threshold :math:`\theta` (``threshold``) and spike size
    :math:`g` (``graded_spikes_factor``). U, x and :math:`\theta` share one arbitrary unit.

    Within one step U fades by :math:`e^{-(1-\beta)}`, which is near :math:`\beta` for slow
    neurons. Each call starts from U = 0.

    Args:
        beta: Decay rate that sets the time constant, clamped to [0, 1]; one number, or
            one per channel. Reading ``beta`` gives it back from ``tau``: set that one.
        channels: Number of neurons: size of the last dimension of the input.
        learn_beta: ``True`` makes ``tau`` a parameter. It counts as at least 0.1. There
            is a parameter ``beta`` besides, as in checkpoints and optimizer states of snnTorch
            1.0.0: it stays what was given, nothing reads it, and its gradient is 0.
        state_quant: Quantizer of U, see :func:`snntorch.functional.quant.state_quant`;
            ``False`` for none. What is summed is not quantized.
        output: ``False`` returns U alone, and fires no spikes: what only they need draws
            a warning.
        kernel_truncation_steps: Number of input steps that U remembers, the present one
            included; ``None`` for all.
        {shared}

    Shape:
        - ``input_``: (time, batch, channels).
        - returns ``spk, mem``, each as ``input_``; ``mem`` alone with ``output=False``.

    Raises:
        ValueError: If the input has another shape, ``beta`` is neither one number nor one
            per channel, or ``channels`` or ``kernel_truncation_steps`` is less than 1.
        TypeError: If one of these two is not an integer.
        NotImplementedError: By ``fire_inhibition`` and ``mem_reset``.

    Note:
        snnTorch 1.0.0 multiplies spikes by ``graded_spikes_factor`` twice, takes a learned
        ``tau`` below 0 as it is, where the sum grows, and gives ``beta`` no gradient.

    References:
        W. Gerstner, W. M. Kistler (2002). Spiking Neuron Models. Cambridge University
        Press.

    Examples:
        >>> import torch, snntorch as snn
        >>> lif = snn.StateLeaky(beta=0.5, channels=1)
        >>> spk, mem = lif(torch.tensor([0.8, 0.8, 0.0]).view(3, 1, 1))
        >>> spk.flatten(), mem.flatten()
        (tensor([0., 1., 0.]), tensor([0.8000, 1.2852, 0.7795]))
    """

    decay_names: ClassVar[tuple[str, ...]] = ()

    def __init__(
        self,
        beta: Any,
        channels: int,
        threshold: Any = 1.0,
        spike_grad: Callable[[Tensor], Tensor] | None = None,
        surrogate_disable: bool = False,
        learn_beta: bool = False,
        learn_threshold: bool = False,
        state_quant: Callable[[Tensor], Tensor] | bool | None = False,
        output: bool = True,
        graded_spikes_factor: Any = 1.0,
        learn_graded_spikes_factor: bool = False,
        kernel_truncation_steps: int | None = None,
    ) -> None:
        super().__init__(
            beta=beta,
            threshold=threshold,
            spike_grad=spike_grad,
            surrogate_disable=surrogate_disable,
            learn_beta=learn_beta,
            learn_threshold=learn_threshold,
            reset_mechanism="none",
            state_quant=state_quant,
            output=output,
            graded_spikes_factor=graded_spikes_factor,
            learn_graded_spikes_factor=learn_graded_spikes_factor,
        )
        expect_size(self, "channels", channels)
        decay = self._value("beta").detach()
        expect(
            decay.shape in ((), (1,), (channels,)),
            self,
            f"`beta` to be one number or {channels}, one per channel",
            f"shape {shape_of(decay)}",
        )
        if kernel_truncation_steps is not None:
            expect_count(self, "kernel_truncation_steps", kernel_truncation_steps)
        self.channels = channels
        self.kernel_truncation_steps = kernel_truncation_steps
        self._register("tau", 1 / (1 - decay.clamp(0, 1)), learn_beta)
        if not output:
            self._warn_of_unused(
                spike_grad=spike_grad is not None,
                surrogate_disable=surrogate_disable,
                learn_threshold=learn_threshold,
                learn_graded_spikes_factor=learn_graded_spikes_factor,
                graded_spikes_factor=not _is_one(self._value("graded_spikes_factor")),
            )

    def _warn_of_unused(self, **given: bool) -> None:
        names = " and ".join(f"`{name}`" for name, is_given in given.items() if is_given)
        if names:
            warnings.warn(
                f"{owner_name(self)} fires no spikes with output=False, which leaves {names} "
                "without effect. Leave that out, or pass output=True.",
                UserWarning,
                stacklevel=3,
            )

    # The value that was registered under this name is only carried along: tau counts.
    @property
    def beta(self) -> Tensor:
        """Decay rate that belongs to ``tau``."""
        return 1 - 1 / clamped(self._value("tau"), 1, math.inf)

    def forward(self, input_: Tensor) -> Any:
        """Run a whole sequence; returns ``spk, mem``."""
        expect_sequence(self, "input_", input_, self.channels)
        if not input_.is_floating_point():
            input_ = input_.to(torch.get_default_dtype())
        mem = self._sum(input_)
        for name in self._excess_names:
            self._expect_no_wider(name, mem.shape, mem)
        if callable(self.state_quant):
            mem = self.state_quant(mem)
        return (self.fire(mem), mem) if self.output else mem

    def _sum(self, x: Tensor) -> Tensor:
        """Return the sum of the past inputs, each faded by its age."""
        dtype = torch.promote_types(x.dtype, torch.float32)
        if not x.is_meta:
            expect_values(self, "beta", self._value("tau"))
        tau = clamped(self._value("tau"), LEAST_TAU, math.inf)
        if "beta" in self._parameters:
            # Optimizers and DistributedDataParallel expect a gradient of each parameter
            tau = tau + 0 * self._value("beta")
        rate = 1 / tau.to(x.device, dtype)
        taps = self.kernel_truncation_steps
        if taps is None or taps >= len(x):
            return linear_scan(torch.exp(-rate).reshape(1, 1, -1).expand(len(x), -1, -1), x)
        return _window_sum(x.to(dtype), rate, taps).to(x.dtype)

    def fire_inhibition(self, batch_size: int, mem: Tensor) -> NoReturn:
        """Raise: there is no inhibition.

        Raises:
            NotImplementedError: Always.
        """
        raise NotImplementedError(
            f"{owner_name(self)} has no inhibition, as it computes all steps at once.\n"
            "For one winner per step use snn.Leaky(beta, inhibition=True)."
        )

    def mem_reset(self, mem: Tensor) -> NoReturn:
        """Raise: there is no reset.

        Raises:
            NotImplementedError: Always.
        """
        raise NotImplementedError(
            f"{owner_name(self)} has no reset, as it computes all steps at once.\n"
            "For a membrane that spikes reset use snn.Leaky(beta)."
        )


def _is_one(value: Tensor) -> bool:
    return value.is_meta or bool((value == 1).all())


def _window_sum(x: Tensor, rate: Tensor, taps: int) -> Tensor:
    """Return the sum over the last ``taps`` steps, from windows that double in width.

    The windows that the binary digits of ``taps`` name are put one behind another. A
    difference of two full sums would cancel digits instead.
    """

    def aged(window: Tensor, age: int) -> Tensor:
        shifted = torch.cat([torch.zeros_like(x[:age]), window[: len(x) - age]])
        return torch.exp(-age * rate) * shifted

    total, covered = torch.zeros_like(x), 0
    window, width = x, 1
    while True:
        if taps & width:
            total = total + aged(window, covered)
            covered += width
        if covered == taps:
            return total
        window = window + aged(window, width)
        width *= 2
