"""Losses, accuracies, regularization, quantization, monitors and learning rules.

What is called on records is here by name: ``import snntorch.functional as SF`` gives
``SF.ce_rate_loss()`` and ``SF.accuracy_rate(spk_rec, targets)``. Quantizers live in
``SF.quant``.
"""

from snntorch.functional import acc, loss, probe, quant, reg, stdp_learner
from snntorch.functional.acc import accuracy_rate, accuracy_temporal
from snntorch.functional.loss import (
    LossFunctions,
    SpikeTime,
    ce_count_loss,
    ce_max_membrane_loss,
    ce_rate_loss,
    ce_temporal_loss,
    mse_count_loss,
    mse_membrane_loss,
    mse_temporal_loss,
)
from snntorch.functional.probe import (
    AttributeMonitor,
    BaseMonitor,
    GradInputMonitor,
    GradOutputMonitor,
    InputMonitor,
    OutputMonitor,
)
from snntorch.functional.reg import l1_rate_sparsity

__all__ = [
    "AttributeMonitor",
    "BaseMonitor",
    "GradInputMonitor",
    "GradOutputMonitor",
    "InputMonitor",
    "LossFunctions",
    "OutputMonitor",
    "SpikeTime",
    "acc",
    "accuracy_rate",
    "accuracy_temporal",
    "ce_count_loss",
    "ce_max_membrane_loss",
    "ce_rate_loss",
    "ce_temporal_loss",
    "l1_rate_sparsity",
    "loss",
    "mse_count_loss",
    "mse_membrane_loss",
    "mse_temporal_loss",
    "probe",
    "quant",
    "reg",
    "stdp_learner",
]
