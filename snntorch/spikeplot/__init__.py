"""Plotting of spikes, on matplotlib.

Every function draws on the axes it is given, and nowhere else. Those that can do without
make a figure of their own, in one style and with colours that colour-blind readers can
tell apart; matplotlib's settings stay as they are. :func:`style` gives yours the same
look::

    fig, ax = plt.subplots()
    splt.raster(spk_rec[:, 0], ax)         # one sample, (time, neurons)
    splt.summary(net, spikes)              # a whole run in one figure

Animations are matplotlib's: show one with ``HTML(anim.to_html5_video())``, or write it to
a file with :func:`save_animation`.
"""

try:
    import matplotlib as _matplotlib  # noqa: F401
except ModuleNotFoundError as _error:
    raise ModuleNotFoundError(
        "snntorch.spikeplot expected matplotlib, but it is not installed.\n"
        "Install it with: pip install 'snntorch[plot]'",
        name=_error.name,
    ) from _error

from snntorch.spikeplot._animations import animator, spike_count
from snntorch.spikeplot._costs import energy
from snntorch.spikeplot._networks import firing_rates, summary
from snntorch.spikeplot._plots import raster, traces
from snntorch.spikeplot._saving import save_animation
from snntorch.spikeplot._style import style
from snntorch.spikeplot._surrogates import surrogate_gradients
from snntorch.spikeplot._weights import weights

__all__ = [
    "animator",
    "energy",
    "firing_rates",
    "raster",
    "save_animation",
    "spike_count",
    "style",
    "summary",
    "surrogate_gradients",
    "traces",
    "weights",
]
