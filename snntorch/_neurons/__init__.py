"""All neurons: what is listed here, ``snntorch`` exports, and tests and documentation cover."""

from snntorch._neurons.adex import AdEx
from snntorch._neurons.alif import ALIF
from snntorch._neurons.alpha import Alpha
from snntorch._neurons.associative import AssociativeLeaky
from snntorch._neurons.deltaleaky import DeltaLeaky
from snntorch._neurons.izhikevich import Izhikevich
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

__all__ = [
    "ALIF",
    "LIF",
    "SLSTM",
    "AdEx",
    "Alpha",
    "AssociativeLeaky",
    "DeltaLeaky",
    "Izhikevich",
    "Lapicque",
    "Leaky",
    "LeakyParallel",
    "LinearLeaky",
    "RLeaky",
    "RSynaptic",
    "SConv2dLSTM",
    "SpikingNeuron",
    "StateLeaky",
    "Synaptic",
]
