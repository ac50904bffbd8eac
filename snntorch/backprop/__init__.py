r"""Training through time: forward pass, backward pass and weight updates in one call.

The time steps of a batch are cut into windows of ``K`` steps. Each window is run, its loss
backpropagated, and the weights updated; then the states are detached from their
past and the next window goes on from them. What remains to choose is the window:

- `BPTT`: all time steps. The exact gradient; memory grows with the number of steps.
- `TBPTT`: ``K`` steps. Memory for ``K`` steps; what lies further back gets no gradient.
- `RTRL`: one step. The weights learn while the sequence runs.

The states are zeroed before each batch. Build the neurons with ``init_hidden=True``, the
last one with ``output=True`` as well, so that the network returns ``(spk, mem)``, or
``(spk, ..., mem)`` with more states between::

    net = nn.Sequential(
        nn.Linear(784, 100), snn.Leaky(beta=0.9, init_hidden=True),
        nn.Linear(100, 10), snn.Leaky(beta=0.9, init_hidden=True, output=True),
    )
    loss = backprop.BPTT(net, train_loader, optimizer, SF.ce_rate_loss(), num_steps=25,
                         time_var=False)

A criterion says what it is computed from by its attribute ``reads``: ``"spk"``, the output
spikes, or ``"mem"``, the membrane potential, either (time, batch, ...) with the steps
of one window. The losses of `snntorch.functional` do; give it to any other::

    def loss_fn(mem_rec, targets):
        return F.cross_entropy(mem_rec.mean(0), targets)

    loss_fn.reads = "mem"

If it also has a true attribute ``time_var_targets``, the targets begin with a time axis and
are cut into the same windows.
"""

from snntorch._docs import publish
from snntorch.backprop._training import BPTT, RTRL, TBPTT

__all__ = ["BPTT", "RTRL", "TBPTT"]

publish(globals())
