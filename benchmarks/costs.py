"""What nets cost: as NeuroBench counts it, and as ``snn.profile`` does.

``make neurobench`` runs it in an environment of its own. It prints both, of which
``docs/energy.rst`` has a table, and fails where the package does not find the same of the nets of
which it should. With ``ARGS=--write`` it records for the tests what NeuroBench found.
"""

from __future__ import annotations

import argparse
import json
from typing import Any

import torch
from neurobench.benchmarks import Benchmark
from neurobench.metrics import static, workload
from neurobench.models import SNNTorchModel
from torch.utils.data import DataLoader, TensorDataset

from tests import costs


def theirs(name: str) -> dict[str, Any]:
    """Return what NeuroBench counts, one sample at a time."""
    net, x = costs.built(name), costs.sequence(name)
    model = SNNTorchModel(net, custom_forward=isinstance(net, costs.Loop))
    data = DataLoader(TensorDataset(x, torch.zeros(costs.SAMPLES)), batch_size=1)
    metrics = [
        [static.Footprint, static.ConnectionSparsity, static.ParameterCount],
        [workload.ActivationSparsity, workload.MembraneUpdates, workload.SynapticOperations],
    ]
    found = dict(Benchmark(model, data, [], [], metrics).run(quiet=True))
    return found | found.pop("SynapticOperations")


def main() -> None:
    """Compare with NeuroBench, and print both."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--write", action="store_true", help="record what NeuroBench finds")
    found = {name: theirs(name) for name in (*costs.SAME, *costs.OTHER)}
    if parser.parse_args().write:
        costs.RECORDED.write_text(json.dumps(found, indent=1) + "\n")
    for name, numbers in found.items():
        own = costs.in_their_terms(costs.ours(name))
        print(name)
        for what, number in own.items():
            mark = "" if what not in costs.differing(own, numbers) else "  other"
            print(f"  {what:18} {number!s:>20} {numbers[what]!s:>20}{mark}")
    wrong = [
        name
        for name in costs.SAME
        if costs.differing(costs.in_their_terms(costs.ours(name)), found[name])
    ]
    if wrong:
        raise SystemExit(f"NeuroBench finds other numbers of: {', '.join(wrong)}")


if __name__ == "__main__":
    main()
