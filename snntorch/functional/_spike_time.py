"""Times of spikes: what the temporal losses of ``snntorch.functional.loss`` compare."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeAlias

import numpy as np
import torch
from torch import Tensor, nn

from snntorch._checks import (
    MOST,
    expect,
    expect_count,
    expect_finite,
    expect_number,
    expect_real,
    expect_tensor,
    expect_truth,
    expect_values,
    shape_of,
)
from snntorch.functional._records import (
    class_labels,
    expect_float_record,
    expect_floating,
    labelled,
    nth_spike_step,
    readable,
    widened,
)

__all__ = ["SpikeTime"]


#: One time or several, as ``on_target`` and ``off_target`` may give them.
Times: TypeAlias = "float | Sequence[float] | Tensor | np.ndarray[Any, Any]"


def _plain(times: Any) -> Any:
    """Return what tensors and arrays hold, anything else as it is."""
    if isinstance(times, (list, tuple)):
        return [_plain(time) for time in times]
    if isinstance(times, Tensor):
        expect_values("SpikeTime", "on_target and off_target", times)
    return times.tolist() if isinstance(times, (Tensor, np.ndarray)) else times


def _several(times: Any) -> tuple[float, ...]:
    return tuple(times) if isinstance(times, Sequence) else (times,)


class SpikeTime(nn.Module):
    r"""When outputs fire, and when they should have.

    Choose it for losses of your own on spike times.

    .. math::
        t_{b, i} = \min\{t : S_{b, i}[t] \neq 0\}, \qquad
        \frac{\partial t_{b, i}}{\partial S_{b, i}[t_{b, i}]} = -1

    with the spikes :math:`S` (``spk_out``) and times in steps, the first of which is 0. A
    spike that never comes counts as one at the last step. The gradient reaches the spike in
    question only: more of it is earlier.

    Args:
        target_is_time: ``True`` expects spike times as targets, not class labels.
        on_target: Target time of the labelled class; with ``multi_spike`` a sequence of times.
            Both may be tensors or arrays. Negative times count from the end: -1 is the last
            step.
        off_target: Target time of the other classes, likewise.
        tolerance: A spike less than this many steps off its target counts as on target.
        multi_spike: ``True`` takes several spikes of each output, not the first alone.

    Shape:
        - ``spk_out``: (time, batch, num_outputs).
        - ``targets``: (batch); with ``target_is_time`` as the times.
        - returns the times and their targets, each (batch, num_outputs), with ``multi_spike``
          (num_spikes, batch, num_outputs); in float32 if the spikes are in half precision.

    Raises:
        ValueError: If an option, a shape, a label or a time does not fit.
        TypeError: If an argument is no tensor or no number, or has the wrong dtype.

    Note:
        snnTorch 1.0.0 overwrote negative times in the targets, and a spike of one output hid
        those of others at that step with ``multi_spike``.

    Examples:
        >>> spk = torch.tensor([[[0.0, 0.0]], [[1.0, 0.0]], [[1.0, 1.0]]])
        >>> SpikeTime(on_target=0, off_target=-1)(spk, torch.tensor([0]))
        (tensor([[1., 2.]]), tensor([[0., 2.]]))
    """

    def __init__(
        self,
        target_is_time: bool = False,
        on_target: Times = 0,
        off_target: Times = -1,
        tolerance: float = 0,
        multi_spike: bool = False,
    ) -> None:
        super().__init__()
        expect_truth(self, target_is_time=target_is_time, multi_spike=multi_spike)
        on_target, off_target = _plain(on_target), _plain(off_target)
        expect_number(self, "tolerance", tolerance)
        expect(tolerance >= 0, self, "`tolerance` >= 0", tolerance)
        if not target_is_time:
            on, off = _several(on_target), _several(off_target)
            expect(
                len(on) == len(off) > 0 if multi_spike else len(on) == len(off) == 1,
                self,
                "`on_target` and `off_target` to be "
                + ("sequences of equal length" if multi_spike else "one time each"),
                f"{on_target!r} and {off_target!r}",
                "Such as on_target=[0, 2], off_target=[8, 9] with multi_spike=True.",
            )
            for name, times in (("on_target", on), ("off_target", off)):
                for time in times:
                    expect_finite(self, **{name: time})
                    expect(abs(time) <= MOST, self, f"times of `{name}` up to {MOST}", time)
        self.target_is_time = target_is_time
        self.on_target = on_target
        self.off_target = off_target
        self.tolerance = tolerance
        self.multi_spike = multi_spike

    def extra_repr(self) -> str:
        """Return the settings, for ``print``."""
        names = ("target_is_time", "on_target", "off_target", "tolerance", "multi_spike")
        return ", ".join(f"{name}={getattr(self, name)!r}" for name in names)

    def forward(self, spk_out: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
        """Return spike times and their targets."""
        expect_float_record(self, "spk_out", spk_out)
        num_steps, batch, num_outputs, *further = spk_out.shape
        if self.target_is_time:
            wanted = self._target_times(targets, spk_out)
        else:
            labels = class_labels(self, targets, (batch, *further), num_outputs, spk_out.device)
            wanted = self.labels_to_spike_times(labels, num_outputs)
        several = self.multi_spike
        times = self.MultiSpike(spk_out, len(wanted)) if several else self.FirstSpike(spk_out)
        wanted = wanted.to(times.dtype)
        wanted = torch.where(wanted < 0, wanted + num_steps, wanted)
        if wanted.numel() and readable(wanted):
            earliest = wanted.amin().item()
            what = f"target times of at least {-num_steps}, the first of {num_steps} steps"
            expect(earliest >= 0, self, what, earliest - num_steps)
        return self.Tolerance(times, wanted, self.tolerance), wanted

    def _target_times(self, targets: Tensor, spk_out: Tensor) -> Tensor:
        expect_tensor(self, "targets", targets)
        expect_real(self, "targets", targets)
        shape = shape_of(spk_out)[1:]
        if self.multi_spike:
            fits, what = shape_of(targets)[1:] == shape and len(targets) > 0, ("num_spikes", *shape)
        else:
            fits, what = shape_of(targets) == shape, shape
        hint = "Class labels need target_is_time=False."
        expect(fits, self, f"target times of shape {what}", shape_of(targets), hint)
        return targets.to(spk_out.device)

    @staticmethod
    def FirstSpike(spk_rec: Tensor) -> Tensor:
        """Return the time of each output's first spike, (batch, num_outputs)."""
        return SpikeTime.MultiSpike(spk_rec, 1)[0]

    @staticmethod
    def MultiSpike(spk_rec: Tensor, spk_count: int) -> Tensor:
        """Return the times of each output's first ``spk_count`` spikes."""
        expect_floating("SpikeTime", "spk_rec", spk_rec)
        expect_count("SpikeTime", "spk_count", spk_count)
        step = nth_spike_step(spk_rec, spk_count)
        spike = widened(spk_rec.gather(0, step))
        # exactly zero, and minus one in the gradient
        return step.to(spike.dtype) + (spike.detach() - spike)

    @staticmethod
    def Tolerance(spk_time: Tensor, target: Tensor, tolerance: float) -> Tensor:
        """Move times less than ``tolerance`` off their target onto it."""
        return torch.where((spk_time - target).abs() < float(tolerance), target, spk_time)

    def labels_to_spike_times(self, targets: Tensor, num_outputs: int) -> Tensor:
        """Return the target times that belong to class labels."""
        convert = self.label_to_multi_spike if self.multi_spike else self.label_to_single_spike
        return convert(targets, num_outputs)

    def label_to_single_spike(self, targets: Tensor, num_outputs: int) -> Tensor:
        """Return one target time per output, (batch, num_outputs)."""
        return self.label_to_multi_spike(targets, num_outputs)[0]

    def label_to_multi_spike(self, targets: Tensor, num_outputs: int) -> Tensor:
        """Return several target times per output, (num_spikes, batch, num_outputs)."""
        is_label = labelled(targets, num_outputs)
        times = zip(_several(self.on_target), _several(self.off_target), strict=True)
        return torch.stack([torch.where(is_label, float(on), float(off)) for on, off in times])
