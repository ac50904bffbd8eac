"""Recordings of event cameras and of an artificial cochlea as tensors; deprecated for tonic.

The names of snnTorch 1.0.0, over `tonic <https://tonic.readthedocs.io>`_, which downloads the
recordings and reads more data sets than are here: use ``tonic.datasets`` in new programs. It
needs ``pip install 'snntorch[data]'``, and each use gives a ``DeprecationWarning`` that says
what to type instead::

    from torch.utils.data import DataLoader
    from snntorch import spikevision

    nmnist = spikevision.spikedata.NMNIST("data", num_steps=300, dt=1000)
    for frames, labels in DataLoader(nmnist, batch_size=4, shuffle=True):
        frames.transpose(0, 1)  # (time, batch, 2, 34, 34), as nets take it

    # the same by tonic
    to_frame = tonic.transforms.ToFrame(
        sensor_size=tonic.datasets.NMNIST.sensor_size, time_window=1000
    )
    nmnist = tonic.datasets.NMNIST("data", transform=to_frame)
"""

from snntorch.spikevision import spikedata
from snntorch.spikevision import spikedata as data  # as the documentation of 1.0.0 says once

__all__ = ["data", "spikedata"]
