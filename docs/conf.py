"""Settings of the documentation, which ``make docs`` builds without any network."""

import sys
from importlib.metadata import version as installed
from pathlib import Path
from typing import Any

import matplotlib as mpl

mpl.use("Agg")
sys.path.insert(0, str(Path(__file__).parent))

project = "snntorch"
author = "The snntorch developers"
copyright = author
release = installed("snntorch")

extensions = [
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.mathjax",
    "sphinx.ext.napoleon",
    "sphinx.ext.viewcode",
]
exclude_patterns = ["_build", "_gallery/pictures.rst"]  # pictures.rst is included by gallery.rst
templates_path = ["_templates"]
html_theme = "furo"
html_title = f"snntorch {release}"
pygments_style = "friendly"

default_role = "py:obj"  # `Leaky` in a docstring is a link
napoleon_custom_sections = ["Shape"]
napoleon_use_rtype = False
autodoc_inherit_docstrings = False  # torch's are about torch
autodoc_member_order = "bysource"
autodoc_typehints = "signature"
nitpicky = True
nitpick_ignore_regex = [("py:class", ".*"), ("py:.*", r"torch\..*")]  # types, and what is elsewhere
python_use_unqualified_type_names = True
maximum_signature_line_length = 88


def draw_gallery(app: Any) -> None:
    """Draw the pictures before the pages that show them are read."""
    import gallery  # noqa: PLC0415 (beside this file, found by the path set above)

    gallery.build(Path(app.srcdir) / "_gallery")


def setup(app: Any) -> None:
    """Tell Sphinx what to do besides what it does."""
    app.connect("builder-inited", draw_gallery)
