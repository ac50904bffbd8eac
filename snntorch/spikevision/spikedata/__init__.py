"""Data sets of recorded events, each sample a tensor whose first dimension is time."""

from snntorch.spikevision.spikedata.dvs_gesture import DVSGesture
from snntorch.spikevision.spikedata.nmnist import NMNIST
from snntorch.spikevision.spikedata.shd import SHD

__all__ = ["NMNIST", "SHD", "DVSGesture"]
