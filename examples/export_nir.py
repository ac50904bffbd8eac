"""Train a spiking network on digits, ship it as a NIR graph, and load it back.

    python examples/export_nir.py

Writes ``digits.nir``, which other frameworks and neuromorphic chips read, into ``--out``. Prints
what was mapped to what, and the accuracy on held-out digits of the net that was trained and of
the one that was read back from the file: they are the same.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import nir
import torch
from quickstart import accuracy, build, digits, train

import snntorch as snn
from snntorch.export_nir import export_to_nir
from snntorch.import_nir import import_from_nir


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
    parser.add_argument("--dt", type=float, default=1e-3, help="length of a time step in seconds")
    args = parser.parse_args()

    torch.manual_seed(0)
    train_set, test_set = digits()
    net = build(train_set.tensors[0].shape[1], args.hidden)
    train(net, train_set, args)

    sample = train_set.tensors[0][:1]
    graph = export_to_nir(net, sample, ignore_dims=[0], dt=args.dt)
    args.out.mkdir(parents=True, exist_ok=True)
    path, new = args.out / "digits.nir", args.out / "digits.nir.new"
    nir.write(new, graph)
    new.replace(path)  # at once: a full disk leaves the old one
    print(f"wrote {path}")
    print(snn.nir.report(path))

    back = import_from_nir(nir.read(path), output=True)
    for name, one in (("trained", net), ("read back", back)):
        share = accuracy(one, test_set, args.num_steps, seed=0)
        print(f"test accuracy, {name}: {100 * share:.2f} % of {len(test_set)} held-out digits")


if __name__ == "__main__":
    main()
