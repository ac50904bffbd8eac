"""Whether the tests reach enough: ``python tests/floors.py out/coverage.json``.

Lines and branches together, in percent, for the package and for each file. Raise a floor where it
can be raised; what no test can reach on a machine without a GPU has a floor of its own.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

PACKAGE, FILE = 97.0, 88.0
#: Files that are held to less, and why.
LESS: dict[str, tuple[float, str]] = {}


def main(path: str) -> int:
    report = json.loads(Path(path).read_text())
    found = {
        name: file["summary"]["percent_covered"]
        for name, file in report["files"].items()
        if file["summary"]["num_statements"]
    }
    total = report["totals"]["percent_covered"]
    print(f"{total:.2f} % of the package, {min(found.values()):.1f} % of the least covered file")
    low = [
        f"{name}: {percent:.1f} % is below {floor:.1f} %"
        for name, percent in found.items()
        if percent < (floor := LESS.get(name, (FILE,))[0])
    ]
    if total < PACKAGE:
        low.append(f"the package: {total:.2f} % is below {PACKAGE:.1f} %")
    print(*low, sep="\n")
    return len(low)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
