"""What all losses share: checks, class weights, populations and reduction."""

from __future__ import annotations

from typing import ClassVar, Literal

import torch.nn.functional as F
from torch import Tensor

from snntorch._checks import (
    expect,
    expect_choice,
    expect_real,
    expect_tensor,
    expect_values,
    owner_name,
    shape_of,
)
from snntorch._neurons._values import not_of_inference
from snntorch.functional._records import (
    class_labels,
    expect_float_record,
    expect_population,
    pool,
    widened,
)

#: The label of a sample that costs nothing, as in torch.
IGNORED = -100


class LossFunctions:
    """What all losses share: the checks, class weights, reduction and description.

    Derive a loss of your own by writing ``_compute_loss(record, targets)``.

    Args:
        reduction: ``"mean"`` or ``"sum"`` over the batch, or ``"none"``: one value per sample,
            for square errors one per output.
        weight: One factor per class, (num_classes), for what a sample of that class costs.
            The mean is that of these costs, those of ignored samples, 0, included. Only
            :class:`ce_temporal_loss` divides their sum by the sum of the weights instead, as
            :func:`torch.nn.functional.cross_entropy` does.

    Attributes:
        reads: The record the loss is computed from: ``"spk"``, the output spikes, or
            ``"mem"``, the membrane potentials. ``snntorch.backprop`` hands it that one.
        time_axis: Which axis of the record is time.
        time_var_targets: Whether the targets begin with that axis, too.

    Raises:
        ValueError: If an option, a shape, a label or the number of weights does not fit.
        TypeError: If an argument is no tensor or no number, or has the wrong dtype.

    Note:
        With a weight, snnTorch 1.0.0 left out the reduction ``"sum"``, and square errors took
        the weight along the wrong axis.
    """

    reads: ClassVar[Literal["spk", "mem"]] = "spk"
    time_axis: ClassVar[int] = 0
    time_var_targets: bool = False

    def __init__(self, reduction: str, weight: Tensor | None) -> None:
        expect_choice(self, "reduction", reduction, ("mean", "sum", "none"))
        if weight is not None:
            expect_tensor(self, "weight", weight)
            expect_real(self, "weight", weight)
            expect_values(self, "weight", weight)
            expect(weight.dim() == 1, self, "`weight` of shape (num_classes,)", shape_of(weight))
        self.reduction = reduction
        self.weight = weight

    @property
    def __name__(self) -> str:
        return owner_name(self)

    def __repr__(self) -> str:
        return f"{self.__name__}({', '.join(f'{k}={v!r}' for k, v in vars(self).items())})"

    def __call__(self, spk_out: Tensor, targets: Tensor) -> Tensor:
        """Return the loss of a record: of spikes, or of what ``reads`` says."""
        expect_float_record(self, f"{self.reads}_out", spk_out)
        return self._compute_loss(widened(spk_out), targets)

    def _compute_loss(self, record: Tensor, targets: Tensor) -> Tensor:
        raise NotImplementedError(f"{self.__name__} has to define _compute_loss(record, targets).")

    def _labels(self, targets: Tensor, scores: Tensor, ignored: int | None = None) -> Tensor:
        """Return the labels of ``scores`` (batch, num_classes), checked and next to them."""
        shape = (len(scores), *scores.shape[2:])
        return class_labels(self, targets, shape, scores.shape[1], scores.device, ignored)

    def _class_weight(self, like: Tensor, num_classes: int) -> Tensor | None:
        if self.weight is None:
            return None
        what = f"`weight` to hold {num_classes} values, one per class"
        expect(len(self.weight) == num_classes, self, what, len(self.weight))
        return not_of_inference(self.weight.to(like))

    def _cross_entropy(self, scores: Tensor, labels: Tensor) -> Tensor:
        """Return the cross-entropy; with a weight the mean of what each sample costs."""
        weight = self._class_weight(scores, scores.shape[1])
        reduction = self.reduction if weight is None else "none"
        return self._reduce(F.cross_entropy(scores, labels, weight, reduction=reduction))

    def _weigh(self, squares: Tensor, labels: Tensor, num_classes: int, axis: int = 1) -> Tensor:
        """Multiply the square errors of a sample, along ``axis``, by its class's weight."""
        weight = self._class_weight(squares, num_classes)
        return squares if weight is None else squares * weight[labels].unsqueeze(axis)

    def _reduce(self, loss: Tensor) -> Tensor:
        if self.reduction == "none":
            return loss
        return loss.mean() if self.reduction == "mean" else loss.sum()


class PopulationLoss(LossFunctions):
    """A loss that can let several outputs speak for one class."""

    def __init__(
        self,
        population_code: bool = False,
        num_classes: int = False,
        reduction: str = "mean",
        weight: Tensor | None = None,
    ) -> None:
        expect_population(self, population_code, num_classes)
        self.population_code = population_code
        self.num_classes = num_classes
        super().__init__(reduction, weight)

    def _pool(self, record: Tensor) -> Tensor:
        return pool(self, record, self.num_classes) if self.population_code else record
