"""Train a spiking network on digits, export it to ONNX, and run it without PyTorch.

    python examples/export_onnx.py

The exported graph takes one time step: the input and the membranes go in, spikes and membranes
come out, and the loop around ONNX Runtime hands the membranes on. Writes ``digits.onnx`` into
``--out``, and prints the accuracy on held-out digits of the net and of the graph, and how many of
their spikes differ.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import onnxruntime
import torch
from quickstart import build, digits, run, train
from torch import Tensor, nn
from torch.export import Dim

import snntorch as snn
import snntorch.functional as SF
from snntorch import spikegen

NAMES = ("mem1", "mem2")


class OneStep(nn.Module):
    """A trained net that takes its states instead of keeping them."""

    def __init__(self, net: nn.Sequential) -> None:
        super().__init__()
        self.fc1, lif1, _, self.fc2, lif2 = net
        self.lif1, self.lif2 = (like(lif) for lif in (lif1, lif2))

    def forward(self, x: Tensor, mem1: Tensor, mem2: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Run one time step; returns spikes and the membranes that it leaves."""
        spk1, mem1 = self.lif1(self.fc1(x), mem1)
        spk2, mem2 = self.lif2(self.fc2(spk1), mem2)
        return spk2, mem1, mem2


def like(lif: snn.Leaky) -> snn.Leaky:
    """Return the same neuron with explicit states."""
    copied = snn.Leaky(beta=lif.beta, threshold=lif.threshold, spike_grad=lif.spike_grad)
    copied.load_state_dict(lif.state_dict())
    return copied


def export(net: nn.Sequential, pixels: int, path: Path) -> None:
    """Write a step of a net as an ONNX graph for any batch size."""
    hidden, out = net[0].out_features, net[3].out_features
    example = torch.zeros(2, pixels), torch.zeros(2, hidden), torch.zeros(2, out)
    torch.onnx.export(
        OneStep(net).eval(),
        example,
        path,
        input_names=["x", *NAMES],
        output_names=["spk", *(f"{name}_next" for name in NAMES)],
        dynamic_shapes=[{0: Dim.DYNAMIC}] * 3,
        dynamo=True,
        verbose=False,
    )


def spikes_of(path: Path, x: Tensor, sizes: tuple[int, int]) -> np.ndarray:
    """Run the graph over spikes [T, B, pixels]; return its spikes."""
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    mems = [np.zeros((x.shape[1], size), np.float32) for size in sizes]
    record = []
    for step in x.numpy():
        spk, *mems = session.run(None, {"x": step, **dict(zip(NAMES, mems, strict=True))})
        record.append(spk)
    return np.stack(record)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--out", type=Path, default=Path("out"), help="folder to write to")
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--num-steps", type=int, default=25)
    parser.add_argument("--hidden", type=int, default=128)
    parser.add_argument("--batch-size", type=int, default=64)
    parser.add_argument("--lr", type=float, default=5e-3)
    args = parser.parse_args()

    torch.manual_seed(0)
    train_set, test_set = digits()
    pixels = train_set.tensors[0].shape[1]
    net = build(pixels, args.hidden)
    train(net, train_set, args)

    args.out.mkdir(parents=True, exist_ok=True)
    path = args.out / "digits.onnx"
    export(net, pixels, path)
    print(f"wrote {path}")

    images, labels = test_set.tensors
    generator = torch.Generator().manual_seed(0)
    x = spikegen.rate(images, args.num_steps, generator=generator)
    with torch.no_grad():
        by_net = run(net.eval(), x)[0]
    by_graph = torch.from_numpy(spikes_of(path, x, (args.hidden, 10)))
    for name, spikes in (("PyTorch", by_net), ("ONNX Runtime", by_graph)):
        share = SF.accuracy_rate(spikes, labels)
        print(f"test accuracy, {name}: {100 * share:.2f} % of {len(test_set)} held-out digits")
    print(f"{int((by_net != by_graph).sum())} of {int(by_net.sum())} output spikes differ")


if __name__ == "__main__":
    main()
