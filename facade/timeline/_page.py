"""One self-contained page: the template, the script and the style that lie beside this file, and the data."""

from __future__ import annotations

import base64
import hashlib
import html
import json
from importlib.resources import files
from typing import Any

DOCTYPE = "<!doctype html>"


def page(data: dict[str, Any]) -> str:
    """The page that shows the data (`page_data`'s), in ASCII alone."""
    folder = files("facade.timeline")
    template, script, style = (
        folder.joinpath(name).read_text("utf-8") for name in ("page.html", "timeline.js", "timeline.css")
    )
    parts = {
        "policy": (
            f"default-src 'none'; script-src '{_hash(script)}'; style-src '{_hash(style)}'; "
            "img-src data:; base-uri 'none'; form-action 'none'"
        ),
        "title": html.escape(data["title"]).encode("ascii", "xmlcharrefreplace").decode(),
        "style": style,
        "script": script,
        "data": escaped_json(data),
    }
    # Piece by piece: what is put in is never searched for further places.
    before, *rest = template.split("{{")
    return before + "".join(parts[name] + text for name, text in (piece.split("}}", 1) for piece in rest))


def escaped_json(value: Any) -> str:
    """JSON that stands in an HTML script element as it is: nothing in it can end the element or begin another."""
    text = json.dumps(value, ensure_ascii=True, allow_nan=False, separators=(",", ":"))
    return text.replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e")


def _hash(text: str) -> str:
    """As a content security policy names a script or a style."""
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
