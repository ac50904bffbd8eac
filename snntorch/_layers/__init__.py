"""All layers beside the neurons: what is listed here, ``snntorch`` exports and documents."""

from snntorch._layers.bntt import BatchNormTT1d, BatchNormTT2d
from snntorch._layers.delay import SynapticDelay
from snntorch._layers.graded_spikes import GradedSpikes

__all__ = ["BatchNormTT1d", "BatchNormTT2d", "GradedSpikes", "SynapticDelay"]
