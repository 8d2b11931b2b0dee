"""How Sphinx builds the site, with the pages that scripts/docs makes of the pinned spec."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any

from docutils import nodes
from sphinx.addnodes import pending_xref
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment

from facade import __version__

project = "openai-thread-runs"
author = "The openai-thread-runs maintainers"
copyright = f"{author}, MIT licence"  # noqa: A001  # Sphinx's name
version = release = __version__

sys.path.insert(0, str(Path(__file__).parents[1]))
extensions = ["myst_parser", "scripts.docs.reference", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "sphinx_click"]
myst_heading_anchors = 3
default_role = "py:obj"  # `Runs.get` in a docstring links to it; what names nothing is shown as code

autodoc_class_signature = "separated"
autodoc_default_options = {"members": True, "exclude-members": "__new__"}
autodoc_member_order = "bysource"
autodoc_typehints_format = "short"
napoleon_custom_sections = [("Attributes", "params_style")]
napoleon_google_docstring = True
napoleon_numpy_docstring = False
python_maximum_signature_line_length = 72
python_use_unqualified_type_names = True

smartquotes = False  # an option keeps its two dashes

html_theme = "furo"
html_title = "openai-thread-runs"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_copy_source = False
html_domain_indices = False
html_use_index = False
html_show_sourcelink = False
pygments_style = "a11y-high-contrast-light"
pygments_dark_style = "a11y-high-contrast-dark"


def show_drawings(app: Sphinx, what: str, name: str, thing: object, options: object, lines: list[str]) -> None:
    """Shows the indented parts of a module's text, which are drawn or aligned by hand, as they are."""
    if what == "module":
        for index in range(len(lines) - 1, 0, -1):
            if lines[index].startswith("    ") and not lines[index - 1]:
                lines[index:index] = ["::", ""]


def find_by_short_name(app: Sphinx, env: BuildEnvironment, node: pending_xref, contnode: nodes.Element) -> Any:
    """Resolves a name that annotations and docstrings use without its module: a public one, or a schema's."""
    if node.get("refdomain") != "py":
        return None
    name = node["reftarget"].rpartition(".")[2]
    name = f"{name}Object" if name in ("Assistant", "Message", "Run", "RunStep", "Thread") else name
    python = env.domains["py"]
    for module in ("facade", "facade.resources", "facade.server", "openai_thread_runs_api.model_base"):
        if f"{module}.{name}" in python.objects:
            return python.resolve_xref(env, node["refdoc"], app.builder, "obj", f"{module}.{name}", node, contnode)
    label = f"schema-{name.lower()}"
    if label in env.domains["std"].anonlabels:
        page, anchor = env.domains["std"].anonlabels[label]
        uri = f"{app.builder.get_relative_uri(node['refdoc'], page)}#{anchor}"
        return nodes.reference("", "", contnode, internal=True, refuri=uri)
    return None


def fit(app: Sphinx, doctree: nodes.document, page: str) -> None:
    """Marks up names and tables for site.css, so that they fit any screen.

    Short names are kept whole, long ones in tables may be broken between their parts. A cell tells its column's
    heading, for narrow screens, where a row is shown as a block without the table's head.
    """
    for name in doctree.findall(nodes.literal):
        if len(name.astext()) <= 24:
            name["classes"].append("short")
    for table in doctree.findall(nodes.table):
        headings = [entry.astext() for head in table.findall(nodes.thead) for entry in head.findall(nodes.entry)]
        for body in table.findall(nodes.tbody):
            for row in body.findall(nodes.row):
                for index, (heading, cell) in enumerate(zip(headings, row.findall(nodes.entry), strict=True)):
                    for name in list(cell.findall(nodes.literal)):
                        parts = re.split(r"(?<=[./])" if index == 0 else r"(?<=[./_])", name.astext())
                        name[:] = [
                            node for part in parts for node in (nodes.Text(part), nodes.raw("", "<wbr>", format="html"))
                        ]
                    if not cell.astext().strip():
                        cell["classes"].append("blank")
                    elif index:
                        first = cell[0]
                        assert isinstance(first, nodes.Element)
                        first.insert(0, nodes.inline("", f"{heading}: ", classes=["heading"]))


def setup(app: Sphinx) -> None:
    app.connect("doctree-resolved", fit)
    app.connect("autodoc-process-docstring", show_drawings)
    app.connect("missing-reference", find_by_short_name)
