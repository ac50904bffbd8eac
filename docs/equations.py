"""Equations as MathML, which browsers draw themselves: no script and no network is needed."""

from __future__ import annotations

import re
from typing import Any

from docutils import nodes
from latex2mathml.converter import convert
from sphinx.util.math import get_node_equation_number

#: What stands for rows within an equation, and the environment that the converter knows.
ROWS = re.compile(r"\\(begin|end)\{(?:split|aligned|align)\}")

#: Slashes and bars, which MathML would set apart from what they are between.
TIGHT = re.compile(r"<mo(?=[^>]*>(?:/|&#x0002F;|&#x0007C;)<)")


def as_mathml(latex: str, display: str) -> str:
    r"""Return LaTeX as MathML; blank lines, and ``\\`` outside of any environment, part rows."""
    text = ROWS.sub(r"\\\1{align*}", re.sub(r"\n\s*\n", r"\\\\", latex.strip()))
    if display == "block" and r"\begin" not in text and (r"\\" in text or "&" in text):
        text = rf"\begin{{align*}}{text}\end{{align*}}"
    return TIGHT.sub(r'<mo lspace="0" rspace="0"', convert(text, display=display))


def inline(self: Any, node: nodes.math) -> None:
    """Write an equation in a line of text."""
    self.body.append(as_mathml(node.astext(), "inline"))
    raise nodes.SkipNode


def block(self: Any, node: nodes.math_block) -> None:
    """Write an equation of its own line, with its number if it has one."""
    self.body.append(self.starttag(node, "div", CLASS="math"))
    if node["number"]:
        self.body.append(f'<span class="eqno">({get_node_equation_number(self, node)})</span>')
    self.body.append(as_mathml(node.astext(), "block") + "</div>\n")
    raise nodes.SkipNode


def setup(app: Any) -> dict[str, bool]:
    """Offer the renderer to Sphinx."""
    app.add_html_math_renderer("mathml", (inline, None), (block, None))
    return {"parallel_read_safe": True, "parallel_write_safe": True}
