"""Argument texts that many neurons share, written once."""

from __future__ import annotations

import inspect
from typing import TypeVar

_T = TypeVar("_T", bound=type)

SHARED = {
    "alpha": "Decay rate of the synaptic current per time step, clamped to [0, 1] where it is"
    " used; one number, or one per neuron.",
    "beta": "Decay rate of the membrane potential per time step, clamped to [0, 1] where it is"
    " used; one number, or one per neuron.",
    "threshold": "Firing threshold; one number, or one per neuron.",
    "spike_grad": "Surrogate gradient, see :mod:`snntorch.surrogate`. ``None`` takes"
    " ``surrogate.atan()``.",
    "surrogate_disable": "``True`` fires by a plain Heaviside step, without gradient.",
    "init_hidden": "``True`` keeps the states on the module, as ``nn.Sequential`` needs; only"
    " spikes are returned.",
    "inhibition": "``True`` lets only the neuron with the largest excess over threshold of each"
    " sample fire. Meant for dense layers.",
    "learn_alpha": "``True`` makes ``alpha`` a parameter.",
    "learn_beta": "``True`` makes ``beta`` a parameter.",
    "learn_threshold": "``True`` makes ``threshold`` a parameter.",
    "reset_mechanism": 'What a spike does to the membrane: ``"subtract"`` takes the threshold'
    ' off, ``"zero"`` clears it, ``"none"`` leaves it. Can be set later, too.',
    "state_quant": "Quantizer of the states, see"
    " :func:`snntorch.functional.quant.state_quant`; ``False`` for none.",
    "output": "``True`` returns the states besides the spikes when ``init_hidden=True``.",
    "graded_spikes_factor": "Size of a spike; one number, or one per neuron.",
    "learn_graded_spikes_factor": "``True`` makes ``graded_spikes_factor`` a parameter.",
    "reset_delay": "``False`` applies the reset in the step in which the spike fires, ``True`` in"
    " the next one.",
    "V": "Recurrent weight with ``all_to_all=False``; one number, or one per neuron.",
    "all_to_all": "``True`` feeds spikes back through a dense or convolutional layer, ``False``"
    " through one weight per neuron, ``V``.",
    "linear_features": "Number of neurons: feeds back through ``nn.Linear``.",
    "conv2d_channels": "Number of channels: feeds back through ``nn.Conv2d``, with"
    " ``kernel_size``.",
    "kernel_size": "Kernel of the convolution; padded so that the size stays.",
    "learn_recurrent": "``False`` fixes the recurrent weights.",
    "bias": "Whether the affine maps have a bias.",
    "device": "Device of the parameters.",
    "dtype": "Type of the parameters.",
}


def shared_arguments(cls: _T) -> _T:
    """Fill ``{shared}`` in a class's docstring with the texts of its shared arguments.

    Those that the docstring describes itself, and those the class does not take, are
    left out; the order is that of the signature.
    """
    if cls.__doc__:
        names = list(inspect.signature(cls).parameters)
        texts = [
            f"    {name}: {SHARED[name]}"
            for name in names
            if name in SHARED and f"    {name}: " not in cls.__doc__
        ]
        filled = inspect.cleandoc(cls.__doc__).replace("    {shared}", "\n".join(texts))
        cls.__doc__ = filled
    return cls
