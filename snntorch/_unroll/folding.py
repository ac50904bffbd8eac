"""Which layers can take all time steps as one batch, and how."""

from __future__ import annotations

from torch import Tensor, nn

from snntorch._layers.graded_spikes import GradedSpikes
from snntorch._unroll import products
from snntorch._unroll.layout import channels_last

#: Layers that treat every entry, or every vector along the last dimension, alone.
POINTWISE: tuple[type[nn.Module], ...] = (
    nn.Linear,
    nn.LayerNorm,
    nn.RMSNorm,
    nn.Identity,
    nn.Dropout,
    nn.AlphaDropout,
    nn.PixelShuffle,
    nn.PixelUnshuffle,
    nn.ReLU,
    nn.ReLU6,
    nn.LeakyReLU,
    nn.ELU,
    nn.CELU,
    nn.SELU,
    nn.GELU,
    nn.SiLU,
    nn.Mish,
    nn.Softplus,
    nn.Softsign,
    nn.Sigmoid,
    nn.LogSigmoid,
    nn.Tanh,
    nn.Hardtanh,
    nn.Hardsigmoid,
    nn.Hardswish,
    nn.Threshold,
    GradedSpikes,
)
#: Layers that treat every sample of a batch alone, with the dimensions a batch of theirs has.
BATCHED: dict[type[nn.Module], tuple[int, ...]] = {
    **dict.fromkeys((nn.Conv1d, nn.ConvTranspose1d, nn.MaxPool1d, nn.AvgPool1d), (3,)),
    **dict.fromkeys((nn.AdaptiveAvgPool1d, nn.AdaptiveMaxPool1d, nn.LPPool1d), (3,)),
    **dict.fromkeys((nn.InstanceNorm1d, nn.Dropout1d, nn.ConstantPad1d), (3,)),
    **dict.fromkeys((nn.ZeroPad1d, nn.ReflectionPad1d, nn.ReplicationPad1d), (3,)),
    **dict.fromkeys((nn.Conv2d, nn.ConvTranspose2d, nn.MaxPool2d, nn.AvgPool2d), (4,)),
    **dict.fromkeys((nn.AdaptiveAvgPool2d, nn.AdaptiveMaxPool2d, nn.LPPool2d), (4,)),
    **dict.fromkeys((nn.InstanceNorm2d, nn.Dropout2d, nn.ConstantPad2d), (4,)),
    **dict.fromkeys((nn.ZeroPad2d, nn.ReflectionPad2d, nn.ReplicationPad2d), (4,)),
    **dict.fromkeys((nn.Conv3d, nn.ConvTranspose3d, nn.MaxPool3d, nn.AvgPool3d), (5,)),
    **dict.fromkeys((nn.AdaptiveAvgPool3d, nn.AdaptiveMaxPool3d, nn.LPPool3d), (5,)),
    **dict.fromkeys((nn.InstanceNorm3d, nn.Dropout3d, nn.ConstantPad3d), (5,)),
    **dict.fromkeys((nn.ZeroPad3d, nn.ReflectionPad3d, nn.ReplicationPad3d), (5,)),
    nn.BatchNorm1d: (2, 3),
    nn.BatchNorm2d: (4,),
    nn.BatchNorm3d: (5,),
    nn.Upsample: (3, 4, 5),
    nn.GroupNorm: (2, 3, 4, 5),
    nn.LocalResponseNorm: (3, 4, 5),
    nn.ChannelShuffle: (3, 4, 5),
    nn.Flatten: (2, 3, 4, 5, 6),
    nn.Unflatten: (2, 3, 4, 5, 6),
}
_BATCH_NORMS = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d)
_INSTANCE_NORMS = (nn.InstanceNorm1d, nn.InstanceNorm2d, nn.InstanceNorm3d)
_DROPOUTS = (nn.Dropout, nn.AlphaDropout, nn.Dropout1d, nn.Dropout2d, nn.Dropout3d)


def why_not(module: nn.Module) -> str | None:
    """Return why time cannot be folded into the batch of a layer; None if it can.

    The very class counts: what a subclass does differently is not known.
    """
    kind = type(module)
    if isinstance(module, _BATCH_NORMS) and (module.training or module.running_mean is None):
        return "its statistics are those of one time step"
    if isinstance(module, _INSTANCE_NORMS) and module.track_running_stats:
        return "its statistics run on from step to step"
    if getattr(module, "return_indices", False):
        return "it returns indices, too"
    if kind in (nn.Softmax, nn.LogSoftmax) and (getattr(module, "dim", None) or 0) < 0:
        return None
    if kind not in POINTWISE and kind not in BATCHED:
        return "not known to treat each sample alone"
    return None


def is_random(module: nn.Module) -> bool:
    """Return whether a layer draws random numbers now."""
    return module.training and type(module) in _DROPOUTS


def _least_dimensions(module: nn.Module) -> int:
    """Return how many dimensions, counted from the last, a layer works on."""
    if isinstance(module, (nn.LayerNorm, nn.RMSNorm)):
        return len(module.normalized_shape)
    if isinstance(module, (nn.Softmax, nn.LogSoftmax)):
        return -(module.dim or 0)
    if isinstance(module, (nn.PixelShuffle, nn.PixelUnshuffle)):
        return 3
    # of the column that GradedSpikes takes, too, time must not be the first
    return {nn.Linear: 1, GradedSpikes: 2}.get(type(module), 0)


def fold(module: nn.Module, rows: Tensor) -> Tensor | None:
    """Run a layer on all time steps at once.

    Args:
        module: A layer that can be folded.
        rows: (time, batch, ...).

    Returns:
        The outputs, (time, batch, ...); None if the steps do not begin with a batch.
    """
    steps, row = len(rows), rows[0]
    if type(module) is nn.Linear:
        found = products.linear(rows, module.weight, module.bias)
        if found is not None:
            return found
    if type(module) not in BATCHED:
        # fewer, and time would pass for one of the layer's own: the loop says what is wrong
        return module(rows) if row.dim() >= _least_dimensions(module) else None
    if row.dim() not in BATCHED[type(module)]:
        return None
    first = 1
    if isinstance(module, nn.Flatten):
        first = module.start_dim % row.dim()
    elif isinstance(module, nn.Unflatten) and isinstance(module.dim, int):
        first = module.dim % row.dim()
    if first == 0:
        return None
    samples = rows.flatten(0, 1)
    flat: Tensor = module(channels_last(samples) if type(module) is nn.Conv2d else samples)
    return flat.reshape(steps, len(row), *flat.shape[1:])
