"""Run recipes, print what their nets reach, and paste it into the documentation.

    python recipes/run.py                         # all, about ten minutes on two idle cores
    python recipes/run.py digits adding-*         # some
    python recipes/run.py --size nightly          # larger nets, more epochs, more seeds
    python recipes/run.py --write                 # and into docs/results.rst and docs/results.json

Each net is trained by one thread, as many at a time as there are cores, so that neither the
number of cores nor what else runs changes what it learns.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import platform
import sys
import time
from collections.abc import Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import nullcontext
from fnmatch import fnmatch
from importlib import import_module
from pathlib import Path
from statistics import mean
from typing import Any

import torch
from training import Recipe, train

import snntorch as snn
from snntorch._files import replacing

DOCS = Path(__file__).resolve().parents[1] / "docs"
#: One module per task, in the order of the table.
MODULES = ("digits", "fashion", "events", "adding", "store_recall")
SIZES = ("small", "nightly", "tiny")
#: Between which lines of the page the tables are.
MARKS = (".. tables from results.json", ".. end of tables")
#: What a run of one size tells.
Records = dict[str, dict[str, Any]]


def recipes() -> dict[str, Recipe]:
    """Return every recipe by name."""
    modules = [import_module(name) for name in MODULES]
    return {recipe.name: recipe for module in modules for recipe in module.RECIPES}


def command(name: str, size: str) -> str:
    """Return what to type to run one recipe."""
    return f"python recipes/run.py {name}" + ("" if size == "small" else f" --size {size}")


def chosen(patterns: list[str]) -> list[str]:
    """Return the names that fit, in the order of the table.

    Raises:
        SystemExit: If none fits a pattern.
    """
    every = list(recipes())
    for pattern in patterns:
        if not any(fnmatch(name, pattern) for name in every):
            raise SystemExit(f"recipes expected some of {', '.join(every)}, but got {pattern!r}.")
    return [name for name in every if any(fnmatch(name, pattern) for pattern in patterns)]


def one(job: tuple[str, str, int]) -> dict[str, Any]:
    """Train one net; return what it reached, or what is missing."""
    name, size_name, seed = job
    torch.set_num_threads(1)
    recipe = recipes()[name]
    size = recipe.sizes[size_name]
    try:
        sets = recipe.data(size)
    except FileNotFoundError as missing:
        return {"missing": str(missing)}
    done = train(recipe, size, sets, seed)
    return {
        "seed": seed,
        "epoch": done.epoch,
        "valid": round(done.valid, 4),
        "test": round(done.test, 4),
        "seconds": round(done.seconds, 1),
        "parameters": sum(parameter.numel() for parameter in done.net.parameters()),
        "split": [len(part.y) for part in sets],
    }


def machine() -> str:
    """Return what the times were measured on."""
    model = platform.processor() or platform.machine()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        lines = (line.partition(":") for line in cpuinfo.read_text().splitlines())
        model = next((text.strip() for key, _, text in lines if key.startswith("model n")), model)
    return f"{os.cpu_count()} cores of {model}"


def record(recipe: Recipe, size: str, jobs: list[dict[str, Any]]) -> dict[str, Any]:
    """Return what all seeds of a recipe reached."""
    common = {key: jobs[0][key] for key in ("parameters", "split")}
    width = recipe.sizes[size].width
    return {
        "about": recipe.about.format(width=width, twice=2 * width),
        "command": command(recipe.name, size),
        "chance": round(recipe.chance, 4),
        "epochs": recipe.sizes[size].epochs,
        **common,
        "seeds": [{k: v for k, v in job.items() if k not in common} for job in jobs],
        "machine": machine(),
        "snntorch": snn.__version__,
        "torch": torch.__version__.split("+")[0],
    }


def ran(names: list[str], size: str, workers: int) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield each recipe's name and its record, or what is missing."""
    known = recipes()
    jobs = [(name, size, seed) for name in names for seed in range(known[name].sizes[size].seeds)]
    spawn = multiprocessing.get_context("spawn")
    pool = ProcessPoolExecutor(workers, mp_context=spawn) if workers > 1 else nullcontext()
    with pool as many:
        done = many.map(one, jobs) if many else map(one, jobs)
        for name in names:
            results = [next(done) for _ in range(known[name].sizes[size].seeds)]
            missing = "missing" in results[0]
            yield name, results[0] if missing else record(known[name], size, results)


def percent(values: Iterable[float]) -> str:
    """Return the mean, and the range if there are several."""
    shares = [100 * value for value in values]
    spread = f" ({min(shares):.1f} ... {max(shares):.1f})" if len(shares) > 1 else ""
    return f"{mean(shares):.1f}{spread}"


def row(name: str, found: dict[str, Any]) -> list[str]:
    """Return the cells of the table of what was reached."""
    return [
        name,
        percent(seed["test"] for seed in found["seeds"]),
        percent(seed["valid"] for seed in found["seeds"]),
        f"{100 * found['chance']:.1f}",
        f"{found['parameters']:,}",
        f"{mean(seed['seconds'] for seed in found['seeds']):.0f}",
    ]


HEADS = ["recipe", "test accuracy, %", "validation, %", "chance, %", "parameters", "CPU, s"]


def list_table(heads: list[str], widths: str, rows: list[list[str]]) -> list[str]:
    """Return the lines of a table in reStructuredText."""
    lines = [".. list-table::", "   :header-rows: 1", f"   :widths: {widths}", ""]
    for cells in (heads, *rows):
        lines += [f"   * - {cells[0]}", *(f"     - {text}" for text in cells[1:])]
    return [*lines, ""]


def tables(results: dict[str, Records]) -> str:
    """Return what the page shows of the results of all sizes."""
    lines = []
    for size, records in results.items():
        title = f"Reached: {size}"
        lines += [title, "-" * len(title), ""]
        lines += list_table(HEADS, "26 24 22 10 12 8", [row(*item) for item in records.items()])
        with_what = {
            f"{each['machine']}, torch {each['torch']}, snntorch {each['snntorch']}"
            for each in records.values()
        }
        lines += [f"Measured on {'; on '.join(sorted(with_what))}.", ""]
        rows = [
            [
                f"``{found['command']}``",
                found["about"],
                " / ".join(f"{part:,}" for part in found["split"]),
                f"{found['epochs']}",
                f"0 ... {len(found['seeds']) - 1}" if len(found["seeds"]) > 1 else "0",
            ]
            for found in records.values()
        ]
        heads = ["command", "net", "training / validation / test", "epochs", "seeds"]
        lines += list_table(heads, "34 28 22 8 8", rows)
    return "\n".join(lines)


def write(size: str, records: Records, docs: Path) -> None:
    """Put what was reached into the page and the file beside it; what did not run stays."""
    file, page = docs / "results.json", docs / "results.rst"
    known = json.loads(file.read_text()) if file.exists() else {}
    known[size] = known.get(size, {}) | records
    every = recipes()
    ordered = {
        each: {name: known[each][name] for name in every if name in known[each]}
        for each in SIZES
        if each in known
    }
    before, _, rest = page.read_text().partition(f"{MARKS[0]}\n")
    after = rest.partition(f"{MARKS[1]}\n")[2]
    with replacing(file) as told, replacing(page) as shown:
        told.write_text(json.dumps(ordered, indent=1) + "\n")
        shown.write_text(f"{before}{MARKS[0]}\n\n{tables(ordered)}{MARKS[1]}\n{after}")


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("names", nargs="*", default=["*"], help="recipes, * allowed; default: all")
    parser.add_argument("--size", choices=SIZES, default="small")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="nets at a time")
    parser.add_argument("--json", type=Path, default=Path("out/results.json"))
    parser.add_argument("--write", action="store_true", help="into the documentation, too")
    parser.add_argument("--docs", type=Path, default=DOCS, help=argparse.SUPPRESS)
    args = parser.parse_args(arguments)
    start = time.perf_counter()
    widths = (24, 22, 22, 9, 10, 7)
    print(
        "  ".join(f"{head:{width}}" for head, width in zip(HEADS, widths, strict=True)).rstrip(),
        flush=True,
    )
    records: Records = {}
    lacking = {}
    for name, found in ran(chosen(args.names), args.size, args.jobs):
        if "missing" in found:
            lacking[name] = found["missing"]
            print(f"{name:24}  left out, see below", flush=True)
            continue
        records[name] = found
        cells = zip(row(name, found), widths, strict=True)
        print("  ".join(f"{cell:{width}}" for cell, width in cells).rstrip(), flush=True)
    print(f"time: {time.perf_counter() - start:.0f} s, {args.jobs} nets at a time")
    args.json.parent.mkdir(parents=True, exist_ok=True)
    with replacing(args.json) as file:
        file.write_text(json.dumps({args.size: records}, indent=1) + "\n")
    if args.write and records:
        write(args.size, records, args.docs)
    for name, message in lacking.items():
        print(f"{name}: {message}", file=sys.stderr)
    return len(lacking) > 0


if __name__ == "__main__":
    raise SystemExit(main())
