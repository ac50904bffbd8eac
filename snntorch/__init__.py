"""Spiking neural networks as PyTorch layers.

>>> import torch, snntorch as snn
>>> net = torch.nn.Sequential(
...     torch.nn.Linear(4, 8), snn.Leaky(beta=0.9, init_hidden=True),
...     torch.nn.Linear(8, 2), snn.Leaky(beta=0.9, init_hidden=True, output=True),
... )
>>> spk, mem = net(torch.rand(3, 4))
>>> spk.shape
torch.Size([3, 2])
"""

from snntorch import _layers, _neurons, backprop, functional, spikegen, surrogate, utils
from snntorch import nir as nir  # not in __all__: a star would hide the package of that name
from snntorch._layers import *
from snntorch._neurons import *
from snntorch._profile.energy import Energy, EnergyTable
from snntorch._profile.layer import LayerProfile
from snntorch._profile.profile import profile
from snntorch._profile.report import Profile
from snntorch._unroll.deferred.fuse import deferred, fuse, unfuse
from snntorch._unroll.planner import Plan, Stage, plan, unroll

__version__ = "1.1.0"

__all__ = [
    "Energy",
    "EnergyTable",
    "LayerProfile",
    "Plan",
    "Profile",
    "Stage",
    "backprop",
    "deferred",
    "functional",
    "fuse",
    "plan",
    "profile",
    "spikegen",
    "surrogate",
    "unfuse",
    "unroll",
    "utils",
]
__all__ += _layers.__all__
__all__ += _neurons.__all__
