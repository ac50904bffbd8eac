"""Run the tutorials from top to bottom, and write them as notebooks with their output.

    python tutorials/run.py                        # all of them, into out/tutorials
    python tutorials/run.py 02_lif_neuron 05_*     # some
    python tutorials/run.py --jobs 1 --out DIR

A tutorial is a text notebook beside this file (jupytext's percent format). It fails if one of
its cells does: its last code cell asserts what it reached, and its output is printed here,
beside the time it took. What ran with this very code and package is not run again.
"""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import os
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import jupytext
import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError

HERE = Path(__file__).resolve().parent
PACKAGE = HERE.parent / "snntorch"
TIMEOUT = 600  # seconds that one cell may take on a busy machine


def sources(patterns: list[str]) -> list[Path]:
    """Return the tutorials of these names, in their order.

    Raises:
        SystemExit: If there is none of a name.
    """
    every = set(HERE.glob("[0-9]*.py"))
    found: set[Path] = set()
    for pattern in patterns:
        those = set(HERE.glob(f"{pattern}.py")) & every
        if not those:
            names = ", ".join(sorted(path.stem for path in every))
            raise SystemExit(f"tutorials expected one of {names}, but got {pattern!r}.")
        found |= those
    return sorted(found)


def fingerprint(source: Path) -> str:
    """Return a text that changes with the tutorial and with the package."""
    files = [file for file in PACKAGE.rglob("*") if file.suffix in {".py", ".c", ".inc"}]
    digest = hashlib.sha256()
    for file in [source, *sorted(files)]:
        digest.update(file.read_bytes())
    return digest.hexdigest()


def run(source: Path, out: Path) -> tuple[str, float, str | None]:
    """Run one tutorial; return the last line it printed, the seconds, and what went wrong."""
    target = out / f"{source.stem}.ipynb"
    mark = fingerprint(source)
    if target.exists():
        done = nbformat.read(target, as_version=4)
        if done.metadata.get("ran_with") == mark:
            return last_words(done), float(done.metadata["seconds"]), None
    notebook = jupytext.read(source)
    start = time.perf_counter()
    failure = None
    try:
        with tempfile.TemporaryDirectory() as folder:  # where it writes files, and finds no others
            client = NotebookClient(
                notebook,
                kernel_name="python3",
                extra_arguments=["--log-level=ERROR"],  # no word on whom else this machine serves
                timeout=TIMEOUT,
                resources={"metadata": {"path": folder}},
            )
            asyncio.run(client.async_execute())  # in a loop of this thread's own, which is closed
    except CellExecutionError as error:
        failure = str(error)
    else:
        notebook.metadata["ran_with"] = mark
    seconds = time.perf_counter() - start
    notebook.metadata["seconds"] = round(seconds, 1)
    for cell in notebook.cells:
        cell.metadata.pop("execution", None)  # when each cell began would differ in every file
    nbformat.write(notebook, target)
    return last_words(notebook), seconds, failure


def last_words(notebook: nbformat.NotebookNode) -> str:
    """Return the last line that the tutorial printed."""
    printed = [
        output.text
        for cell in notebook.cells
        if cell.cell_type == "code"
        for output in cell.outputs
        if output.output_type == "stream" and output.name == "stdout"
    ]
    return printed[-1].strip().splitlines()[-1] if printed else ""


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("names", nargs="*", default=["*"], help="file names, * allowed")
    parser.add_argument("--out", type=Path, default=HERE.parent / "out" / "tutorials")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="at a time")
    args = parser.parse_args(arguments)
    chosen = sources(args.names)
    args.out.mkdir(parents=True, exist_ok=True)
    if args.jobs > 1:
        # so many at a time share the cores, which threads of each would only fight over
        os.environ["OMP_NUM_THREADS"] = str(max(1, (os.cpu_count() or 1) // args.jobs))
    failures = {}
    with ThreadPoolExecutor(args.jobs) as pool:
        results = pool.map(lambda source: run(source, args.out), chosen)
        for source, (words, seconds, failure) in zip(chosen, results, strict=True):
            print(
                f"{source.stem:24} {seconds:5.0f} s  {'FAILED' if failure else words}", flush=True
            )
            if failure:
                failures[source.stem] = failure
    for name, failure in failures.items():
        print(f"\n{name}\n{failure}", file=sys.stderr)
    return len(failures) > 0


if __name__ == "__main__":
    raise SystemExit(main())
