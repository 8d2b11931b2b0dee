"""Print how an OpenAPI description differs from the pinned one, in the words of a caller.

    python -m scripts.spec.diff SPEC [--base FILE] [--format text|markdown] [--exit-code]

SPEC is pinned in memory, as `make pin` would, and compared with openapi/openapi.yaml or the base; nothing is written.
Either may be a whole description or a pinned one.

Ends with 0, and with 2 where a file cannot be compared. With --exit-code it ends with 0 only where nothing that matters
to a caller differs, with 1 where nothing of that is breaking, and with 3 where something is.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from scripts.spec.comparing import describe
from scripts.spec.differences import as_markdown, as_text
from scripts.spec.pinning import TITLE, pin
from scripts.spec.reading import FileError, about, load

FOLDER = Path(__file__).resolve().parents[2] / "openapi"
NOT_BREAKING = 1
ERROR = 2
BREAKING = 3


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command and give its exit code."""
    parser = argparse.ArgumentParser(description="Print how an OpenAPI description differs from the pinned one.")
    parser.add_argument("spec", type=Path, help="an OpenAPI 3.0 or 3.1 description, whole or pinned, YAML or JSON")
    parser.add_argument("--base", type=Path, default=FOLDER / "openapi.yaml", help="compare with this instead")
    parser.add_argument("--format", choices=("text", "markdown"), default="text", help="how to print (default: text)")
    codes = f"end with {NOT_BREAKING} where something differs, with {BREAKING} where that is breaking"
    parser.add_argument("--exit-code", action="store_true", help=codes)
    arguments = parser.parse_args(argv)
    try:
        differences = describe(_pinned(arguments.base), _pinned(arguments.spec))
    except FileError as error:
        print(f"spec-diff: {error}", file=sys.stderr)
        return ERROR
    print(as_markdown(differences) if arguments.format == "markdown" else as_text(differences))
    if not arguments.exit_code or not differences:
        return 0
    return BREAKING if any(difference.breaks for difference in differences) else NOT_BREAKING


def _pinned(path: Path) -> dict[str, Any]:
    with about(path):
        document = load(path)
        info = document.get("info")
        is_pinned: bool = isinstance(info, dict) and info.get("title") == TITLE
        return document if is_pinned else pin(document, load(FOLDER / "overlay.yaml"))[0]


if __name__ == "__main__":
    raise SystemExit(main())
