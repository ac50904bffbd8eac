r"""Surrogate gradients: one forward, many derivatives.

A spike :math:`S = H(x)` with :math:`x = U - \theta` has a derivative that is
zero almost everywhere. Each class here keeps the forward pass, the Heaviside
step with :math:`H(0) = 0`, and replaces :math:`dS/dx` in the backward pass.

Pass what a factory returns as ``spike_grad`` to a neuron; the autograd function
itself works too, with its parameters left out or given::

    snn.Leaky(beta=0.9, spike_grad=surrogate.fast_sigmoid(slope=25))
    snn.Leaky(beta=0.9, spike_grad=surrogate.FastSigmoid.apply)

References:
    E. O. Neftci, H. Mostafa, F. Zenke (2019). Surrogate Gradient Learning in
    Spiking Neural Networks. IEEE Signal Processing Magazine 36(6), 51-63.
    DOI 10.1109/MSP.2019.2931595
"""

from snntorch._docs import publish
from snntorch.surrogate._factories import (
    LSO,
    SFS,
    SSO,
    atan,
    custom_surrogate,
    fast_sigmoid,
    heaviside,
    sigmoid,
    spike_rate_escape,
    straight_through_estimator,
    triangular,
)
from snntorch.surrogate._factories import chosen as chosen
from snntorch.surrogate._factories import default as default
from snntorch.surrogate._functions import (
    ATan,
    CustomSurrogate,
    FastSigmoid,
    Heaviside,
    LeakySpikeOperator,
    Sigmoid,
    SparseFastSigmoid,
    SpikeRateEscape,
    StochasticSpikeOperator,
    StraightThroughEstimator,
    SurrogateFunction,
    Triangular,
)
from snntorch.surrogate._functions import spikes as spikes
from snntorch.surrogate._gradient import SurrogateGradient
from snntorch.surrogate._traceable import finite as finite
from snntorch.surrogate._traceable import on_ipu as on_ipu
from snntorch.surrogate._traceable import traceable
from snntorch.surrogate._traceable import why_traceable as why_traceable

__all__ = [
    "LSO",
    "SFS",
    "SSO",
    "ATan",
    "CustomSurrogate",
    "FastSigmoid",
    "Heaviside",
    "LeakySpikeOperator",
    "Sigmoid",
    "SparseFastSigmoid",
    "SpikeRateEscape",
    "StochasticSpikeOperator",
    "StraightThroughEstimator",
    "SurrogateFunction",
    "SurrogateGradient",
    "Triangular",
    "atan",
    "custom_surrogate",
    "fast_sigmoid",
    "heaviside",
    "sigmoid",
    "spike_rate_escape",
    "straight_through_estimator",
    "traceable",
    "triangular",
]

publish(globals())
