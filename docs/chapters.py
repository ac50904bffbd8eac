"""The tutorials, run before the pages that show them are read."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

RUN = Path(__file__).parents[1] / "tutorials" / "run.py"


def build(app: Any) -> None:
    """Run the tutorials into the pages; what ran with this very package is not run again."""
    names = app.config.tutorials.split()
    subprocess.run(
        [sys.executable, str(RUN), *names, "--out", str(Path(app.srcdir) / "tutorials")], check=True
    )


def setup(app: Any) -> dict[str, bool]:
    """Tell Sphinx when; ``-D tutorials=02_lif_neuron`` runs that one only."""
    app.add_config_value("tutorials", "*", "env", [str])
    app.connect("builder-inited", build)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
