"""Train the nets that the package ships, by their recipes, and write their files.

    python recipes/ship.py             # all
    python recipes/ship.py digits      # one of them

The weights are those of seed 0 of ``python recipes/run.py``, in the default size.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import run
import torch
from training import train

import snntorch as snn
from snntorch._files import replacing
from snntorch.pretrained import Description
from snntorch.pretrained._architecture import to_data

FILES = Path(snn.__file__).parent / "pretrained" / "files"
SEED = 0
#: What is shipped: for each name the recipe, and what its arrays mean, in words.
SHIPPED: dict[str, dict[str, Any]] = {
    "digits": {
        "recipe": "digits",
        "task": "which of ten handwritten digits it is",
        "input": "(batch, 64) gray levels of 8 x 8 pixels, sklearn.datasets.load_digits().data / 16"
        ", the same at each step",
        "answer": "the output that fires most often, the first of several",
        "num_steps": 20,
        "drawn": "torch.randperm(1797) by a generator of seed 0, cut into three in this order",
    },
    "store-recall": {
        "recipe": "store-recall-rleaky",
        "task": "which of four symbols was to be kept, one to eleven slots of four steps ago",
        "input": "(48, batch, 30) spikes: four symbols, 'store' and 'recall', by five inputs each",
        "answer": "the output whose membrane is the highest, on average over the last four steps",
        "num_steps": 48,
        "drawn": "sequences() of recipes/store_recall.py with the seeds 0, 1 and 2",
    },
}


def ship(name: str, size: str, folder: Path) -> Description:
    """Train a net, write its files into a folder, and return its description."""
    texts = dict(SHIPPED[name])
    recipe = run.recipes()[texts.pop("recipe")]
    torch.set_num_threads(1)
    sets = recipe.data(recipe.sizes[size])
    done = train(recipe, recipe.sizes[size], sets, SEED)
    counts = {part: len(getattr(sets, part).y) for part in sets._fields}
    description = Description(
        name=name,
        architecture=to_data(done.net),
        parameters=sum(parameter.numel() for parameter in done.net.parameters()),
        test_accuracy=round(done.test, 4),
        valid_accuracy=round(done.valid, 4),
        chance=recipe.chance,
        split=counts | {"drawn": texts.pop("drawn")},
        seed=SEED,
        epoch=done.epoch,
        command=f"python recipes/ship.py {name}",
        snntorch=snn.__version__,
        torch=str(torch.__version__).partition("+")[0],
        **texts,
    )
    with replacing(folder / f"{name}.pt") as weights, replacing(folder / f"{name}.json") as text:
        text.write_text(json.dumps(asdict(description), indent=1) + "\n")
        torch.save(dict(done.net.state_dict()), weights)
    return description


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("names", nargs="*", default=[*SHIPPED], help="default: all")
    parser.add_argument("--size", choices=run.SIZES, default="small")
    parser.add_argument("--folder", type=Path, default=FILES)
    args = parser.parse_args(arguments)
    for name in args.names:
        print(ship(name, args.size, args.folder))


if __name__ == "__main__":
    main()
