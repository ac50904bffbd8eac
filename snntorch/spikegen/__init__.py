"""Encoding of data and labels as spikes, by rates, latencies or changes.

Time is the first dimension of every spike train, ``num_steps`` long; one step is the unit of
every time. No function changes its input. Results keep its device and dtype, integers and
booleans becoming ``torch.get_default_dtype()``. Whatever draws random numbers is repeatable
by ``torch.manual_seed``, or by a ``generator`` on the device of the input.

All functions raise TypeError for a wrong kind or combination of arguments, and ValueError
for a wrong shape or a value that is out of range or not finite, or not in the result's dtype.

References:
    J. K. Eshraghian et al., "Training Spiking Neural Networks Using Lessons From Deep
    Learning", 2023. DOI 10.1109/JPROC.2023.3308088
"""

from snntorch._docs import publish
from snntorch.spikegen._delta import delta
from snntorch.spikegen._interpolation import latency_interpolate, rate_interpolate
from snntorch.spikegen._latency import latency, latency_code, latency_code_linear, latency_code_log
from snntorch.spikegen._one_hot import from_one_hot, to_one_hot, to_one_hot_inverse
from snntorch.spikegen._rate import rate, rate_conv
from snntorch.spikegen._targets import (
    target_rate_code,
    targets_convert,
    targets_latency,
    targets_rate,
)

__all__ = [
    "delta",
    "from_one_hot",
    "latency",
    "latency_code",
    "latency_code_linear",
    "latency_code_log",
    "latency_interpolate",
    "rate",
    "rate_conv",
    "rate_interpolate",
    "target_rate_code",
    "targets_convert",
    "targets_latency",
    "targets_rate",
    "to_one_hot",
    "to_one_hot_inverse",
]

publish(globals())
