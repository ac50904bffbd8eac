"""Blocks of deep spiking nets on handwritten digits: tdBN, SEW residuals, spiking self-attention.

    python examples/blocks.py

All take spikes of whole sequences, (time, batch, ...), and give such. Copy what you need: each is a
dozen lines on the public layers.

tdBN         H. Zheng et al. (2021). Going deeper with directly-trained larger spiking neural
             networks. AAAI. arXiv:2011.05280
SEW          W. Fang et al. (2021). Deep residual learning in spiking neural networks. NeurIPS.
             arXiv:2102.04159
Spikformer   Z. Zhou et al. (2023). Spikformer: when spiking neural network meets transformer. ICLR.
             arXiv:2209.15425
QKFormer     C. Zhou et al. (2024). QKFormer: hierarchical spiking transformer using Q-K attention.
             NeurIPS. arXiv:2403.16552
"""

from __future__ import annotations

import argparse
import time

import torch
from sklearn.datasets import load_digits
from torch import Tensor, nn

import snntorch as snn
from snntorch import surrogate


class Spikes(nn.Module):
    """A LIF neuron over all time steps."""

    def __init__(self, threshold: float = 1.0) -> None:
        super().__init__()
        self.lif = snn.Leaky(0.5, threshold, surrogate.atan(), reset_mechanism="zero")

    def forward(self, x: Tensor) -> Tensor:
        """Return the spikes of all steps."""
        return self.lif.unroll(x, record="spk")


class Folded(nn.Sequential):
    """Layers that know no time: all steps are one batch for them."""

    def forward(self, x: Tensor) -> Tensor:
        """Return what the layers make of each step."""
        return super().forward(x.flatten(0, 1)).unflatten(0, x.shape[:2])


class TDBatchNorm(nn.Module):
    """Batch normalization over time, too, to the threshold of the neurons that follow.

    Over all steps, samples and places of a channel, the mean is 0 and the deviation ``alpha``
    times the threshold, where the surrogate gradient is felt.
    """

    def __init__(self, channels: int, threshold: float = 1.0, alpha: float = 1.0) -> None:
        super().__init__()
        self.norm = nn.BatchNorm1d(channels)
        nn.init.constant_(self.norm.weight, alpha * threshold)

    def forward(self, x: Tensor) -> Tensor:
        """Return ``x`` normalized, channel by channel."""
        places = x.flatten(0, 1).flatten(2) if x.dim() > 3 else x.flatten(0, 1)
        return self.norm(places).reshape(x.shape)


def convolved(inputs: int, outputs: int) -> nn.Sequential:
    """Return a convolution with tdBN and neurons."""
    conv = nn.Conv2d(inputs, outputs, 3, padding=1, bias=False)
    return nn.Sequential(Folded(conv), TDBatchNorm(outputs), Spikes())


class SEWBlock(nn.Module):
    """Spikes of two convolutions, added to the spikes that came: the identity can be learned."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.body = nn.Sequential(convolved(channels, channels), convolved(channels, channels))

    def forward(self, x: Tensor) -> Tensor:
        """Return the sum: 0, 1, 2, ... spikes."""
        return x + self.body(x)


def projected(size: int) -> nn.Sequential:
    """Return a linear map of tokens, (time, batch, tokens, size), with tdBN and neurons."""
    return nn.Sequential(nn.Linear(size, size, bias=False), TokenNorm(size), Spikes())


class TokenNorm(TDBatchNorm):
    """tdBN of tokens, whose channels are last."""

    def forward(self, x: Tensor) -> Tensor:
        """Return the tokens normalized."""
        return super().forward(x.transpose(-1, -2)).transpose(-1, -2)


class SpikingSelfAttention(nn.Module):
    """Q K^T V of spikes, without a softmax: products of spikes are counts, and never negative."""

    def __init__(self, size: int, heads: int = 4) -> None:
        super().__init__()
        self.q, self.k, self.v = projected(size), projected(size), projected(size)
        self.heads, self.scale = heads, 0.125
        self.spikes, self.out = Spikes(threshold=0.5), projected(size)

    def forward(self, x: Tensor) -> Tensor:
        """Return the tokens, and spikes added to them."""
        q, k, v = (
            part(x).unflatten(-1, (self.heads, -1)).transpose(-2, -3)
            for part in (self.q, self.k, self.v)
        )
        mixed = q @ (k.transpose(-1, -2) @ v) * self.scale  # linear in the number of tokens
        return x + self.out(self.spikes(mixed.transpose(-2, -3).flatten(-2)))


class QKAttention(nn.Module):
    """Tokens whose queries fire let their keys pass: a mask of spikes, without a product."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self.q, self.k, self.out = projected(size), projected(size), projected(size)
        self.spikes = Spikes(threshold=0.5)

    def forward(self, x: Tensor) -> Tensor:
        """Return the tokens, and spikes added to them."""
        passes = self.spikes(self.q(x).sum(-1, keepdim=True))
        return x + self.out(passes * self.k(x))


class Net(nn.Module):
    """Convolutions, blocks on images or on tokens, and membranes that answer."""

    def __init__(self, block: nn.Module, on_tokens: bool, channels: int) -> None:
        super().__init__()
        self.stem = nn.Sequential(convolved(1, channels), Folded(nn.MaxPool2d(2)))
        self.block, self.on_tokens = block, on_tokens
        self.answer = nn.Linear(16 * channels, 10)  # 4 x 4 places

    def forward(self, images: Tensor, num_steps: int) -> Tensor:
        """Return the mean over time of what each class gets."""
        x = self.stem(images.expand(num_steps, *images.shape))
        x = self.block(x.flatten(-2).transpose(-1, -2) if self.on_tokens else x)
        return self.answer(x.flatten(2)).mean(0)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--channels", type=int, default=32)
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--num-steps", type=int, default=4)
    parser.add_argument("--lr", type=float, default=2e-3)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    digits = load_digits()
    torch.manual_seed(args.seed)
    order = torch.randperm(len(digits.target))
    x = torch.tensor(digits.images, dtype=torch.float32)[order].unsqueeze(1) / 16
    y = torch.tensor(digits.target)[order]
    blocks = {
        "SEW": lambda: (nn.Sequential(SEWBlock(args.channels), SEWBlock(args.channels)), False),
        "Spikformer": lambda: (SpikingSelfAttention(args.channels), True),
        "QKFormer": lambda: (QKAttention(args.channels), True),
    }
    for name, build in blocks.items():
        start = time.perf_counter()
        torch.manual_seed(args.seed)
        net = Net(*build(), args.channels)
        optimizer = torch.optim.Adam(net.parameters(), lr=args.lr)
        for _ in range(args.epochs):
            for rows in torch.randperm(len(x) - 360).split(64):
                out = net(x[360 + rows], args.num_steps)
                loss = nn.functional.cross_entropy(out, y[360 + rows])
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
        net.eval()
        with torch.no_grad():
            right = (net(x[:360], args.num_steps).argmax(1) == y[:360]).float().mean()
        print(f"{name}: test accuracy {100 * right:.1f} %, {time.perf_counter() - start:.0f} s")


if __name__ == "__main__":
    main()
