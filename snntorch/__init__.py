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

from snntorch import backprop, functional, spikegen, surrogate, utils
from snntorch._layers.bntt import BatchNormTT1d, BatchNormTT2d
from snntorch._layers.graded_spikes import GradedSpikes
from snntorch._neurons.alpha import Alpha
from snntorch._neurons.associative import AssociativeLeaky
from snntorch._neurons.deltaleaky import DeltaLeaky
from snntorch._neurons.lapicque import Lapicque
from snntorch._neurons.leaky import Leaky
from snntorch._neurons.leakyparallel import LeakyParallel
from snntorch._neurons.linearleaky import LinearLeaky
from snntorch._neurons.neurons import LIF, SpikingNeuron
from snntorch._neurons.rleaky import RLeaky
from snntorch._neurons.rsynaptic import RSynaptic
from snntorch._neurons.sconv2dlstm import SConv2dLSTM
from snntorch._neurons.slstm import SLSTM
from snntorch._neurons.stateleaky import StateLeaky
from snntorch._neurons.synaptic import Synaptic
from snntorch._unroll.deferred.fuse import deferred, fuse, unfuse
from snntorch._unroll.planner import Plan, Stage, plan, unroll

__version__ = "1.1.0"

__all__ = [
    "LIF",
    "SLSTM",
    "Alpha",
    "AssociativeLeaky",
    "BatchNormTT1d",
    "BatchNormTT2d",
    "DeltaLeaky",
    "GradedSpikes",
    "Lapicque",
    "Leaky",
    "LeakyParallel",
    "LinearLeaky",
    "Plan",
    "RLeaky",
    "RSynaptic",
    "SConv2dLSTM",
    "SpikingNeuron",
    "Stage",
    "StateLeaky",
    "Synaptic",
    "backprop",
    "deferred",
    "functional",
    "fuse",
    "plan",
    "spikegen",
    "surrogate",
    "unfuse",
    "unroll",
    "utils",
]
