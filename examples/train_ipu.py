"""Train a spiking network on handwritten digits on an IPU, by PopTorch.

    python examples/train_ipu.py                        # scikit-learn's 1,797 digits

PopTorch records what the net does with its first batch, loss included, compiles it for the IPU
and finds the derivatives there; snntorch notices, and fires by operations that can be recorded.
Prints the accuracy on the training images, which the IPU counts, and on held-out digits.
"""

from __future__ import annotations

import argparse

import torch
from quickstart import digits
from torch import Tensor, nn

import snntorch as snn
import snntorch.functional as SF

try:
    import poptorch
except ImportError:
    raise SystemExit(
        "train_ipu.py needs PopTorch, which comes with Graphcore's Poplar SDK, but found none.\n"
        "Install the SDK's wheel by `pip install poptorch-*.whl`, as "
        "https://github.com/graphcore/poptorch tells, and run again; or train on the CPU by "
        "`python examples/quickstart.py`."
    ) from None


class Net(nn.Module):
    """Two layers of leaky neurons that see an image at each of ``num_steps`` time steps."""

    def __init__(self, pixels: int, hidden: int, num_steps: int) -> None:
        super().__init__()
        self.num_steps = num_steps
        # on an IPU the surrogate is the straight-through estimator, unless one is chosen
        self.fc1, self.lif1 = nn.Linear(pixels, hidden), snn.Leaky(beta=0.9)
        self.fc2, self.lif2 = nn.Linear(hidden, 10), snn.Leaky(beta=0.9)
        self.loss_fn = SF.ce_rate_loss()

    def forward(self, x: Tensor, labels: Tensor | None = None) -> Tensor | tuple[Tensor, Tensor]:
        """Return the output spikes over time, and in training the loss, which has to be in here."""
        mem1, mem2 = self.lif1.init_leaky(), self.lif2.init_leaky()
        spikes, membranes = [], []
        for _ in range(self.num_steps):
            spk1, mem1 = self.lif1(self.fc1(x), mem1)
            spk2, mem2 = self.lif2(self.fc2(spk1), mem2)
            spikes.append(spk2)
            membranes.append(mem2)
        if not self.training:
            return torch.stack(spikes)
        loss = self.loss_fn(torch.stack(membranes), labels)
        return torch.stack(spikes), poptorch.identity_loss(loss, "none")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--num-steps", type=int, default=25)
    parser.add_argument("--hidden", type=int, default=256)
    parser.add_argument("--batch-size", type=int, default=64)
    parser.add_argument("--lr", type=float, default=1e-3)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    torch.manual_seed(args.seed)
    train_set, test_set = digits()
    options = poptorch.Options()
    loader = poptorch.DataLoader(options, train_set, batch_size=args.batch_size, shuffle=True)
    net = Net(train_set.tensors[0].shape[1], args.hidden, args.num_steps)
    optimizer = poptorch.optim.Adam(net.parameters(), lr=args.lr)
    model = poptorch.trainingModel(net, options=options, optimizer=optimizer)
    for epoch in range(args.epochs):
        right = seen = 0
        for x, labels in loader:
            spk, loss = model(x, labels)
            right += int((spk.sum(0).argmax(1) == labels).sum())
            seen += len(labels)
        print(f"epoch {epoch + 1}: loss {loss.item():.3f}, right {100 * right / seen:.1f} %")
    # on the host, which PopTorch hands the weights back to when they are read
    net.eval()
    x, labels = test_set.tensors
    with torch.no_grad():
        share = SF.accuracy_rate(net(x), labels)
    print(f"test accuracy: {100 * share:.2f} % of {len(labels)} held-out digits")


if __name__ == "__main__":
    main()
