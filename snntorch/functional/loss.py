"""Losses: what a network's recorded output should have been.

Make a loss once, then call it with a record and the targets::

    loss_fn = SF.ce_rate_loss()
    loss = loss_fn(spk_rec, targets)

A record is (time, batch, num_outputs), targets are class labels (batch); further axes
(pixels, say) may follow in both. The cross-entropies leave out samples labelled -100.

Losses have the dtype of the record, float32 if that is in half precision: bfloat16 counts to
256, no further. Gradients have the dtype of the record.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from snntorch._checks import expect, expect_choice, expect_finite, expect_tensor, expect_truth
from snntorch.functional._loss import IGNORED, LossFunctions, PopulationLoss
from snntorch.functional._records import class_labels, labelled
from snntorch.functional._spike_time import SpikeTime, Times

__all__ = [
    "LossFunctions",
    "SpikeTime",
    "ce_count_loss",
    "ce_max_membrane_loss",
    "ce_rate_loss",
    "ce_temporal_loss",
    "mse_count_loss",
    "mse_membrane_loss",
    "mse_temporal_loss",
]


class ce_rate_loss(PopulationLoss):
    r"""Cross-entropy of the spikes at every step, averaged over the steps.

    Choose it to have the labelled class fire at every step and the others at none.

    .. math::
        \mathcal{L}_b = -\frac{1}{T} \sum_t
            \ln \frac{\exp S_{b, y_b}[t]}{\sum_i \exp S_{b, i}[t]}

    with the spikes :math:`S` (``spk_out``), the label :math:`y_b` of sample :math:`b`
    (``targets``) and :math:`T` steps. A network that never fires costs :math:`\ln C` with
    :math:`C` classes: 2.303 with ten.

    Args:
        population_code: ``True`` lets several outputs speak for one class: they are cut into
            ``num_classes`` blocks of neighbours, and each block's spikes are added up.
        num_classes: Number of classes, needed with ``population_code``.
        reduction, weight: See :class:`LossFunctions`, also for what is raised.

    Shape:
        - ``spk_out``: (time, batch, num_outputs).
        - ``targets``: (batch).
        - returns a scalar, or (batch) with ``reduction="none"``.

    Note:
        snnTorch 1.0.0 could not pool populations here.

    Examples:
        >>> ce_rate_loss()(torch.zeros(25, 4, 10), torch.tensor([3, 0, 9, 1]))
        tensor(2.3026)
    """

    def _compute_loss(self, record: Tensor, targets: Tensor) -> Tensor:
        scores = self._pool(record)
        num_steps = len(scores)
        labels = self._labels(targets, scores[0], IGNORED)
        labels = labels.expand(num_steps, *labels.shape).flatten(0, 1)
        loss = self._cross_entropy(scores.flatten(0, 1), labels)
        if self.reduction == "none":
            return torch.unflatten(loss, 0, (num_steps, -1)).mean(0)
        return loss / num_steps if self.reduction == "sum" else loss


class ce_count_loss(PopulationLoss):
    r"""Cross-entropy of the number of spikes.

    Choose it for rate codes where only totals count: the labelled class is to fire the most.

    .. math::
        \mathcal{L}_b = -\ln \frac{\exp N_{b, y_b}}{\sum_i \exp N_{b, i}},
        \qquad N_{b, i} = \sum_t S_{b, i}[t]

    with the spikes :math:`S` (``spk_out``) and the label :math:`y_b` (``targets``).

    Args:
        population_code, num_classes: See :class:`ce_rate_loss`.
        reduction, weight: See :class:`LossFunctions`, also for what is raised.

    Shape: As in :class:`ce_rate_loss`.

    Examples:
        >>> loss_fn = ce_count_loss(population_code=True, num_classes=2)
        >>> loss_fn(torch.tensor([[[1.0, 1.0, 0.0, 0.0]]]), torch.tensor([0]))
        tensor(0.1269)
    """

    def _compute_loss(self, record: Tensor, targets: Tensor) -> Tensor:
        counts = self._pool(record).sum(self.time_axis)
        return self._cross_entropy(counts, self._labels(targets, counts, IGNORED))


class ce_max_membrane_loss(LossFunctions):
    r"""Cross-entropy of the highest membrane potential of each output.

    Choose it where outputs fire too rarely to teach anything: membranes have a gradient also
    without spikes.

    .. math::
        \mathcal{L}_b = -\ln \frac{\exp M_{b, y_b}}{\sum_i \exp M_{b, i}},
        \qquad M_{b, i} = \max_t U_{b, i}[t]

    with the membrane potential :math:`U` (the record) and the label :math:`y_b`
    (``targets``).

    Args:
        reduction, weight: See :class:`LossFunctions`, also for what is raised.

    Shape: As in :class:`ce_rate_loss`.

    Examples:
        >>> mem = torch.tensor([[[0.2, 0.1]], [[-1.0, 1.2]]])
        >>> ce_max_membrane_loss()(mem, torch.tensor([1]))
        tensor(0.3133)
    """

    reads = "mem"

    def __init__(self, reduction: str = "mean", weight: Tensor | None = None) -> None:
        super().__init__(reduction, weight)

    def _compute_loss(self, record: Tensor, targets: Tensor) -> Tensor:
        highest = record.max(self.time_axis).values
        return self._cross_entropy(highest, self._labels(targets, highest, IGNORED))


class ce_temporal_loss(LossFunctions):
    r"""Cross-entropy of how early each output fires.

    Choose it for latency codes without target times: the labelled class is to fire first.

    .. math::
        \mathcal{L}_b = -\ln \frac{\exp z_{b, y_b}}{\sum_i \exp z_{b, i}}, \qquad
        z = -t \;\text{(negate)} \quad\text{or}\quad z = \frac{1}{t + 1} \;\text{(reciprocal)}

    with the time :math:`t` of an output's first spike, in steps, and its gradient as in
    :class:`SpikeTime`, and the label :math:`y_b` (``targets``).

    Args:
        inverse: ``"negate"`` or ``"reciprocal"``: how early spikes score high.
        reduction, weight: See :class:`LossFunctions`, also for what is raised.

    Shape: As in :class:`ce_rate_loss`.

    Examples:
        >>> spk = torch.tensor([[[1.0, 0.0]], [[0.0, 1.0]]])
        >>> ce_temporal_loss()(spk, torch.tensor([0]))
        tensor(0.3133)
    """

    def __init__(
        self, inverse: str = "negate", reduction: str = "mean", weight: Tensor | None = None
    ) -> None:
        expect_choice(self, "inverse", inverse, ("negate", "reciprocal"))
        self.inverse = inverse
        super().__init__(reduction, weight)

    def _compute_loss(self, record: Tensor, targets: Tensor) -> Tensor:
        time = SpikeTime.FirstSpike(record)
        scores = -time if self.inverse == "negate" else 1 / (time + 1)
        labels = self._labels(targets, scores, IGNORED)
        weight = self._class_weight(scores, scores.shape[1])
        return F.cross_entropy(scores, labels, weight, reduction=self.reduction)


class mse_count_loss(PopulationLoss):
    r"""Square error of the number of spikes.

    Choose it for rate codes where each class has a rate to meet. To leave wrong classes some
    rate, as in ``mse_count_loss(0.8, 0.2)``, keeps their neurons from falling silent.

    .. math::
        \mathcal{L}_{b, i} = \frac{1}{T}
            \Bigl(\sum_t S_{b, i}[t] - \lfloor r_{b, i}\,T P \rfloor\Bigr)^2

    with the spikes :math:`S` (``spk_out``), :math:`T` steps, :math:`P` outputs per class and
    the target rate :math:`r` in spikes per step: ``correct_rate`` for the labelled class,
    ``incorrect_rate`` for the others. The target is a whole number of spikes: a rate of 0.75
    asks for 18 spikes in 25 steps, a negative one for none.

    Args:
        correct_rate, incorrect_rate: Target rates of the labelled class and of the others.
        population_code, num_classes: See :class:`ce_rate_loss`.
        reduction, weight: See :class:`LossFunctions`, also for what is raised.

    Shape:
        - ``spk_out``: (time, batch, num_outputs).
        - ``targets``: (batch).
        - returns a scalar, or (batch, num_classes) with ``reduction="none"``.

    Examples:
        >>> loss_fn = mse_count_loss(correct_rate=0.5, incorrect_rate=0.0)
        >>> loss_fn(torch.ones(4, 1, 2), torch.tensor([1]))
        tensor(2.5000)
    """

    def __init__(
        self,
        correct_rate: float = 1,
        incorrect_rate: float = 0,
        population_code: bool = False,
        num_classes: int = False,
        reduction: str = "mean",
        weight: Tensor | None = None,
    ) -> None:
        expect_finite(self, correct_rate=correct_rate, incorrect_rate=incorrect_rate)
        self.correct_rate = correct_rate
        self.incorrect_rate = incorrect_rate
        super().__init__(population_code, num_classes, reduction, weight)

    def _compute_loss(self, record: Tensor, targets: Tensor) -> Tensor:
        counts = self._pool(record).sum(self.time_axis)
        labels = self._labels(targets, counts)
        num_steps, num_classes = len(record), counts.shape[1]
        size = record.shape[2] // num_classes
        correct, incorrect = (
            max(int(num_steps * rate * size), 0)
            for rate in (self.correct_rate, self.incorrect_rate)
        )
        is_label = labelled(labels, num_classes)
        error = torch.where(is_label, counts - float(correct), counts - float(incorrect))
        return self._reduce(self._weigh(error**2, labels, num_classes) / num_steps)


class mse_membrane_loss(LossFunctions):
    r"""Square error of the membrane potential, averaged over the steps.

    Choose it to steer membranes at every step: the labelled class above the threshold, say,
    and the others below it, as in ``mse_membrane_loss(on_target=1.05, off_target=0.2)``.

    .. math::
        \mathcal{L}_{b, i} = \frac{1}{T} \sum_t (U_{b, i}[t] - \hat{U}_{b, i}[t])^2

    with the membrane potential :math:`U` (the record), :math:`T` steps and the target
    :math:`\hat{U}`, in units of :math:`U`: ``on_target`` for the labelled class,
    ``off_target`` for the others.

    Args:
        time_var_targets: ``True`` expects a label for every step.
        on_target, off_target: Targets of the labelled class and of the others.
        reduction, weight: See :class:`LossFunctions`, also for what is raised.

    Shape:
        - the record: (time, batch, num_outputs).
        - ``targets``: (batch); with ``time_var_targets`` (time, batch), or (time) if
          all samples share their labels.
        - returns a scalar, or (batch, num_outputs) with ``reduction="none"``.

    Note:
        Targets of shape (time, batch) did not work in snnTorch 1.0.0.

    Examples:
        >>> mem = torch.tensor([[[1.0, 0.5]], [[1.0, 0.0]]])
        >>> mse_membrane_loss()(mem, torch.tensor([0]))
        tensor(0.0625)
    """

    reads = "mem"

    def __init__(
        self,
        time_var_targets: bool = False,
        on_target: float = 1,
        off_target: float = 0,
        reduction: str = "mean",
        weight: Tensor | None = None,
    ) -> None:
        expect_finite(self, on_target=on_target, off_target=off_target)
        expect_truth(self, time_var_targets=time_var_targets)
        self.time_var_targets = bool(time_var_targets)
        self.on_target = on_target
        self.off_target = off_target
        super().__init__(reduction, weight)

    def _labels_over_time(self, targets: Tensor, record: Tensor) -> Tensor:
        """Return labels (time, batch); an axis along which they are constant has length 1."""
        if not self.time_var_targets:
            return self._labels(targets, record[0]).unsqueeze(self.time_axis)
        expect_tensor(self, "targets", targets)
        shared = targets.dim() == 1
        shape = (len(record),) if shared else (*record.shape[:2], *record.shape[3:])
        labels = class_labels(self, targets, shape, record.shape[2], record.device)
        return labels.view(-1, *[1] * (record.dim() - 2)) if shared else labels

    def _compute_loss(self, record: Tensor, targets: Tensor) -> Tensor:
        labels = self._labels_over_time(targets, record)
        num_classes = record.shape[2]
        error = torch.where(
            labelled(labels, num_classes, axis=2),
            record - float(self.on_target),
            record - float(self.off_target),
        )
        squares = self._weigh(error**2, labels, num_classes, axis=2)
        return self._reduce(squares.mean(self.time_axis))


class mse_temporal_loss(LossFunctions):
    r"""Square error of the spike times, as fractions of the record's length.

    Choose it for latency codes where each class has a time to fire at.

    .. math::
        \mathcal{L}_{b, i} = \Bigl(\frac{t_{b, i} - \hat{t}_{b, i}}{T}\Bigr)^2

    with the spike times :math:`t` and their targets :math:`\hat{t}`, in steps, of
    :class:`SpikeTime`, and :math:`T` steps.

    Args:
        target_is_time, on_target, off_target, tolerance, multi_spike: See :class:`SpikeTime`.
        reduction, weight: See :class:`LossFunctions`, also for what is raised. No weight with
            ``target_is_time``, as times name no class.

    Shape:
        - ``spk_out``, ``targets``: as in :class:`SpikeTime`.
        - returns a scalar, or one value per spike time with ``reduction="none"``.

    Note:
        snnTorch 1.0.0 ignored the negative ``off_target``, its default: all outputs were to
        fire at once.

    Examples:
        >>> spk = torch.tensor([[[1.0, 0.0]], [[0.0, 1.0]], [[0.0, 0.0]]])
        >>> mse_temporal_loss()(spk, torch.tensor([0]))
        tensor(0.0556)
    """

    def __init__(
        self,
        target_is_time: bool = False,
        on_target: Times = 0,
        off_target: Times = -1,
        tolerance: float = 0,
        multi_spike: bool = False,
        reduction: str = "mean",
        weight: Tensor | None = None,
    ) -> None:
        expect_truth(self, target_is_time=target_is_time)
        free = weight is None or not target_is_time
        expect(free, self, "no `weight` with target_is_time=True", "one", error=TypeError)
        self.spk_time_fn = SpikeTime(target_is_time, on_target, off_target, tolerance, multi_spike)
        super().__init__(reduction, weight)

    def _compute_loss(self, record: Tensor, targets: Tensor) -> Tensor:
        times, wanted = self.spk_time_fn(record, targets)
        squares = ((times - wanted) / len(record)) ** 2
        if self.weight is not None:
            labels = targets.to(device=record.device, dtype=torch.long)
            squares = self._weigh(squares, labels, record.shape[2])
        return self._reduce(squares)
