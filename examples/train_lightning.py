"""Train the network of ``quickstart.py`` on several processes, by Lightning.

Type ``pip install lightning``, and ``python examples/train_lightning.py --devices 2``.
"""

from __future__ import annotations

import argparse

import lightning
import torch
from quickstart import build, digits, run
from torch import Tensor
from torch.utils.data import DataLoader

import snntorch.functional as SF
from snntorch import spikegen


class Digits(lightning.LightningModule):
    """Spike trains in, spike counts out: Lightning does the rest."""

    def __init__(self) -> None:
        super().__init__()
        self.net = build(pixels=64, hidden=256)
        self.loss = SF.mse_count_loss(correct_rate=0.8, incorrect_rate=0.2)

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        """Return the loss of this process's batch."""
        spk, _ = run(self.net, spikegen.rate(batch[0], num_steps=25))
        return self.loss(spk, batch[1])

    def test_step(self, batch: list[Tensor], batch_idx: int) -> None:
        """Note the accuracy, over all processes."""
        spk, _ = run(self.net, spikegen.rate(batch[0], num_steps=25))
        self.log("test accuracy", SF.accuracy_rate(spk, batch[1]), sync_dist=True)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        """Return what learns."""
        return torch.optim.Adam(self.parameters(), lr=5e-3)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--devices", type=int, default=1, help="how many processes")
    parser.add_argument("--epochs", type=int, default=10)
    args = parser.parse_args()
    lightning.seed_everything(0)
    options = {"accelerator": "cpu", "logger": False, "enable_checkpointing": False}
    trainer = lightning.Trainer(devices=args.devices, max_epochs=args.epochs, **options)
    train_set, test_set = digits()
    net = Digits()
    trainer.fit(net, DataLoader(train_set, batch_size=64, shuffle=True))
    trainer.test(net, DataLoader(test_set, batch_size=60))
