"""Settings of the documentation, which ``make docs`` builds without any network."""

import sys
from importlib.metadata import version as installed
from inspect import isclass, isfunction, unwrap
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
    "chapters",
    "equations",
    "myst_nb",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.napoleon",
    "sphinx.ext.viewcode",
]
exclude_patterns = ["_build", "_gallery/pictures.rst"]  # pictures.rst is included by gallery.rst
nb_execution_mode = "off"  # they ran, see chapters.py
nb_merge_streams = True
myst_enable_extensions = ["dollarmath", "amsmath"]
templates_path = ["_templates"]
html_theme = "furo"
html_title = f"snntorch {release}"
html_static_path = ["_static"]
html_css_files = ["style.css"]
html_math_renderer = "mathml"
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


def list_components(app: Any, config: Any) -> None:
    """Write the pages that list what the package exports, before pages are looked for."""
    import reference  # noqa: PLC0415 (beside this file, found by the path set above)

    reference.build(Path(app.srcdir) / "api")


def draw_gallery(app: Any) -> None:
    """Draw the pictures before the pages that show them are read."""
    import gallery  # noqa: PLC0415 (beside this file, found by the path set above)

    gallery.build(Path(app.srcdir) / "_gallery")


def written_in(app: Any, module: str, name: str) -> str | None:
    """Return the module whose code a link to the source shows.

    What a package publishes says that it belongs to the package, not where it is written.
    """
    value = getattr(sys.modules.get(module), name.partition(".")[0], None)
    parts = [unwrap(part) for part in vars(value).values()] if isclass(value) else [value]
    for part in parts:
        if isfunction(part) and part.__qualname__.startswith(value.__qualname__):
            return str(part.__globals__["__name__"])
    return None


def setup(app: Any) -> None:
    """Tell Sphinx what to do besides what it does."""
    app.connect("config-inited", list_components)
    app.connect("builder-inited", draw_gallery)
    app.connect("viewcode-follow-imported", written_in)
