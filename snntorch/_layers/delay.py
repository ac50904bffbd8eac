"""Delays of connections, learned or fixed."""

from __future__ import annotations

from typing import Any, ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from snntorch._checks import (
    expect,
    expect_as_device,
    expect_choice,
    expect_finite,
    expect_flag,
    expect_real,
    expect_size,
    expect_tensor,
    shape_of,
)
from snntorch._kernels.equations import in_dtype
from snntorch._neurons._deferral import recorder
from snntorch._neurons._states import StateModule
from snntorch._neurons._values import clamped, to_value

__all__ = ["SynapticDelay"]


class SynapticDelay(StateModule):
    r"""Holds back what passes, each channel for a time of its own, which can be learned.

    Choose it between a connection and a neuron where it matters when spikes arrive together.
    Weights change how much arrives, delays when.

    .. math::
        y[t] &= \sum_{k=0}^{K} h_k(d)\,x[t-k] \\
        h_k(d) &= \max(0,\ 1 - |k - d|) & \text{(linear)} \\
        h_k(d) &= \frac{e^{-(k - d)^2 / 2 \sigma^2}}
                       {\sum_j e^{-(j - d)^2 / 2 \sigma^2}} & \text{(gaussian)}

    with input :math:`x`, output :math:`y`, delay :math:`d` in time steps (``delay``), clamped to
    [0, K] where it is used, the longest delay :math:`K` (``max_delay``), and the width
    :math:`\sigma` of a window (``sigma``). Before the first step there were zeros.

    With a dense layer as ``synapses`` this is the connection itself, and each of its weights
    :math:`w` has a delay: :math:`y_i[t] = b_i + \sum_j w_{ij} \sum_k h_k(d_{ij})\,x_j[t-k]`.

    The linear kernel takes the two neighbouring steps of a fractional delay: its gradient knows no
    others. The Gaussian one sees as far as it is wide. Begin with a wide one and narrow it while
    training: ``layer.sigma.mul_(0.95)``; where it is below half a step, round the delays.

    Args:
        max_delay: Longest delay K in time steps, at least 1.
        delay: Delay in time steps to start from, from 0 to ``max_delay``: one number, or one per
            channel; with ``synapses``, per weight.
        channels: Size of the dimension behind the batch, for a delay for each channel; ``None``
            for one delay for all, or for as many as ``delay`` has.
        learn_delay: ``True`` makes ``delay`` a parameter.
        kernel: ``"linear"`` or ``"gaussian"``.
        sigma: Width of the Gaussian window in time steps.
        init_hidden: ``False`` takes the inputs of the last steps, and returns those of the next,
            as neurons do with their states: ``y, past = late(x, past)``.
        synapses: A ``nn.Linear`` whose weights have a delay each, instead of channels.

    Shape:
        - ``input_``: (batch, channels, ...) per time step; of any shape without channels; with
          ``synapses`` (batch, in_features).
        - ``past``: (max_delay, batch, channels, ...), the oldest first; or empty (zeros).
        - returns as ``input_``, with ``synapses`` (batch, out_features); with
          ``init_hidden=False`` and ``past``. By :meth:`unroll` with time first.

    Raises:
        ValueError: If ``max_delay`` or ``channels`` is less than 1, a delay is outside
            [0, ``max_delay``], ``sigma`` is not positive or given to the linear kernel, the kernel
            is unknown, the input has another number of channels, or ``synapses`` come with
            ``channels`` or with delays of another shape than their weights.
        TypeError: If a number is of the wrong kind, ``synapses`` is no ``nn.Linear``, the input
            is complex, or ``past`` is passed with ``init_hidden=True``.

    Note:
        The inputs of the last ``max_delay`` steps are its state. It follows the module, and
        :func:`snntorch.utils.reset` and truncated backpropagation treat it as states of neurons.
        A batch of another size starts from zeros. Traces and exports of single steps carry it
        with ``init_hidden=False``.

    References:
        I. Hammouamri, I. Khalfaoui-Hassani, T. Masquelier (2024). Learning Delays in Spiking Neural
        Networks using Dilated Convolutions with Learnable Spacings. International Conference on
        Learning Representations. arXiv:2306.17670

    Examples:
        >>> import torch, snntorch as snn
        >>> late = snn.SynapticDelay(max_delay=3, delay=torch.tensor([2.0, 0.5]))
        >>> spikes = torch.zeros(4, 1, 2)  # (time, batch, channels)
        >>> spikes[0] = 1
        >>> late.unroll(spikes)[:, 0].tolist()
        [[0.0, 0.5], [0.0, 0.5], [1.0, 0.0], [0.0, 0.0]]
        >>> torch.equal(late(spikes[0]), torch.tensor([[0.0, 0.5]]))
        True
    """

    state_names: ClassVar[tuple[str, ...]] = ("past",)
    expands_input: ClassVar[bool] = False
    #: The inputs of the last steps, the oldest first, (max_delay, batch, ...).
    past: Tensor

    def __init__(
        self,
        max_delay: int,
        delay: Any = 1.0,
        channels: int | None = None,
        learn_delay: bool = False,
        kernel: str = "linear",
        sigma: float = 1.0,
        init_hidden: bool = True,
        synapses: nn.Linear | None = None,
    ) -> None:
        super().__init__()
        expect_flag(self, "init_hidden", init_hidden)
        expect_size(self, "max_delay", max_delay)
        expect_choice(self, "kernel", kernel, ("linear", "gaussian"))
        expect_finite(self, sigma=sigma)
        expect(sigma > 0, self, "`sigma` > 0", sigma)
        wide = kernel == "gaussian" or sigma == 1
        expect(wide, self, "`sigma` only with a window", sigma, 'Pass kernel="gaussian".')
        delays = self._delays(to_value(self, "delay", delay), channels, synapses)
        inside = delays.is_meta or bool(((delays >= 0) & (delays <= max_delay)).all())
        if not inside:
            got = delays.tolist() if delays.dim() < 2 else f"{delays.min():g} to {delays.max():g}"
            expect(False, self, f"`delay` from 0 to max_delay={max_delay}", got)
        self.max_delay, self.kernel, self.init_hidden = max_delay, kernel, init_hidden
        self.synapses, self.channels = synapses, None
        if delays.dim():
            self.channels = delays.shape[-1]
        self._register("delay", delays, learn_delay)
        if kernel == "gaussian":
            self._register("sigma", sigma)
        self._declare_states()

    def _delays(self, delay: Tensor, channels: int | None, synapses: nn.Linear | None) -> Tensor:
        """Return a delay for each channel, or for each weight, or one for all."""
        if synapses is not None:
            what = "`synapses` to be a dense layer, nn.Linear"
            dense = isinstance(synapses, nn.Linear)
            expect(dense, self, what, type(synapses).__name__, error=TypeError)
            hint = "Leave `channels` out."
            expect(channels is None, self, "no `channels` with `synapses`", channels, hint)
            shape = synapses.weight.shape
            fits = delay.shape in (shape, ())
            expect(fits, self, f"one `delay`, or {tuple(shape)}", shape_of(delay))
            return delay.expand(shape)
        expect(delay.dim() < 2, self, "`delay` of one dimension at most", shape_of(delay))
        if channels is None:
            return delay
        expect_size(self, "channels", channels)
        fits = delay.numel() in (1, channels)
        expect(fits, self, f"one `delay`, or {channels}", shape_of(delay))
        return delay.expand(channels)

    def forward(self, input_: Tensor, past: Tensor | None = None) -> Any:
        """Return what arrives in a time step, and keep what was sent in it."""
        expect_tensor(self, "input_", input_)
        arrived = self._arrived(input_.unsqueeze(0), past).squeeze(0)
        return arrived if self.init_hidden else (arrived, self._value("past"))

    def unroll(self, x: Tensor, past: Tensor | None = None) -> Any:
        """Return what arrives in each step of a whole sequence, (time, batch, ...).

        It goes on from the last step, and leaves its own for the next one; with
        ``init_hidden=False`` it starts from ``past``, or zeros, and returns what is left, too.
        """
        if past is None and not self.init_hidden:
            past = self.reset_mem()
        arrived = self._arrived(x, past)
        return arrived if self.init_hidden else (arrived, self._value("past"))

    def _past(self, given: Tensor | None, shape: tuple[int, ...], sent: Tensor) -> Tensor:
        """Return the inputs of the last steps: those given, or kept, or zeros."""
        if given is None:
            past = self._value("past")
            return (
                past
                if past.shape == shape and past.device == sent.device
                else sent.new_zeros(shape)
            )
        keeps = "no `past` with init_hidden=True, which keeps it on the module"
        hint = "Leave `past` out, or build the layer with init_hidden=False."
        expect(not self.init_hidden, self, keeps, "one", hint, TypeError)
        expect_tensor(self, "past", given)
        if given.numel() == 0:
            return sent.new_zeros(shape)
        start = "Start from `past = layer.reset_mem()`."
        expect(given.shape == shape, self, f"`past` of shape {shape}", shape_of(given), start)
        expect_real(self, "past", given)
        expect_as_device(self, "past", given, sent)
        return given

    def _arrived(self, x: Tensor, past: Tensor | None) -> Tensor:
        """Return what arrives in each step, and keep what the next one has to know."""
        expect_tensor(self, "x", x)
        expect_real(self, "x", x)
        for name in self._parameter_names:
            self._expect_beside(name, x)
        expect(x.dim() > 0, self, "`x` of shape (time, batch, ...)", "a number")
        sent = x if x.is_floating_point() else x.to(torch.get_default_dtype())
        if self.channels is not None:
            more = ", ..." if self.synapses is None else ""
            fits = sent.dim() > 2 and sent.shape[2] == self.channels and (more or sent.dim() == 3)
            what = f"`x` of steps of shape (batch, {self.channels}{more})"
            expect(bool(fits), self, what, shape_of(sent[0]) if len(sent) else shape_of(sent))
        past = self._past(past, (self.max_delay, *sent.shape[1:]), sent)
        known = torch.cat([in_dtype(past, sent.dtype), sent])
        if (noting := recorder()) is not None:
            noting.keeps(self)
        left = known[len(sent) :]
        self._store((left.clone() if len(sent) > 1 else left,))  # not a view of a whole sequence
        delay = in_dtype(clamped(self._value("delay"), 0, self.max_delay), sent.dtype)
        if self.synapses is not None:
            return self._by_synapses(known, delay, self.synapses)
        if self.kernel == "linear":
            return self._by_neighbours(known, delay)
        return self._by_window(known, delay)

    def _by_neighbours(self, known: Tensor, delay: Tensor) -> Tensor:
        """Return what was sent before and after a fractional delay, between the two."""
        whole = delay.detach().floor().clamp(max=self.max_delay - 1)
        share = delay - whole
        time = torch.arange(self.max_delay, len(known), device=known.device)
        if self.channels is None:
            place = time - whole.long()
            return torch.lerp(known[place], known[place - 1], share)
        # each channel has a place of its own
        place = time.unsqueeze(1) - whole.long()
        channel = torch.arange(self.channels, device=known.device)
        rows = known.transpose(1, 2)
        near, far = rows[place, channel], rows[place - 1, channel]
        share = share.view(-1, *[1] * (near.dim() - 2))
        return torch.lerp(near, far, share).transpose(1, 2)

    def _by_window(self, known: Tensor, delay: Tensor) -> Tensor:
        """Return the sum of what was sent, weighed by how far from the delay it was."""
        weights = self._taps(delay)
        if self.channels is not None:
            weights = weights.view(*weights.shape, *[1] * (known.dim() - 3))
        last, arrived = self.max_delay, torch.zeros_like(known[self.max_delay :])
        for k, weight in enumerate(weights):
            arrived = arrived + weight * known[last - k : len(known) - k]
        return arrived

    def _by_synapses(self, known: Tensor, delay: Tensor, layer: nn.Linear) -> Tensor:
        """Return the sums of what was sent, each at its weight and delay: a convolution."""
        weight = (in_dtype(layer.weight, delay.dtype) * self._taps(delay)).flip(0)
        bias = None if layer.bias is None else in_dtype(layer.bias, delay.dtype)
        arrived = F.conv1d(known.permute(1, 2, 0), weight.permute(1, 2, 0), bias)
        return arrived.permute(2, 0, 1)

    def _taps(self, delay: Tensor) -> Tensor:
        """Return the share of each of the last steps, (max_delay + 1, ...)."""
        steps = torch.arange(self.max_delay + 1, dtype=delay.dtype, device=delay.device)
        steps = steps.view(-1, *[1] * delay.dim())
        if self.kernel == "gaussian":
            sigma = in_dtype(self._value("sigma"), delay.dtype)
            return torch.softmax(-(((steps - delay) / sigma) ** 2) / 2, 0)
        whole = delay.detach().floor().clamp(max=self.max_delay - 1)
        share = delay - whole
        return torch.where(steps == whole, 1 - share, torch.where(steps == whole + 1, share, 0))

    def extra_repr(self) -> str:
        """Return what print(net) tells."""
        width = f", sigma={self._shown('sigma')}" if self.kernel == "gaussian" else ""
        return f"{self.max_delay}, delay={self._shown('delay')}, kernel={self.kernel!r}{width}"
