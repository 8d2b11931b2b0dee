"""Derive the sync client from the async one: `facade/_sync/` from `facade/_async/`.

    python scripts/unasync.py [--check]

With `--check` nothing is written; it ends with 1 where a file is not what it would be.
"""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

FACADE = Path(__file__).resolve().parent.parent / "facade"

# What a word of the async side is on the sync side; the first that fits counts.
WORDS = (
    (r"\b_async\b", "_sync"),
    (r"\b(_network|_prefetch)_async\b", r"\1_sync"),
    (r"\basync_pause\b", "pause"),
    (r"\basync (def|with|for)\b", r"\1"),
    (r"\bawait ", ""),
    (r"\b__a(enter|exit|iter|next)__\b", r"__\1__"),
    (r"\ba(close|iter|next)\b", r"\1"),
    (r"\bhandle_async_request\b", "handle_request"),
    (r"\bAsyncIterable, ", ""),
    (r", AsyncIterable\b", ""),
    (r"\bStopAsyncIteration\b", "StopIteration"),
    (r"(?<!facade\.)(?<!`)\bAsync([A-Z]\w*)", r"\1"),
)


def derived(source: Path) -> str:
    """The sync form of an async module."""
    text = source.read_text("utf-8")
    for pattern, word in WORDS:
        text = re.sub(pattern, word, text)
    text = f"# Derived by scripts/unasync.py from facade/_async/{source.name}: change that one.\n{text}"
    ruff = str(Path(sys.executable).with_name("ruff"))
    for command in (["check", "--fix-only", "--quiet", "--select=I,F401"], ["format"]):
        words = [ruff, *command, "--stdin-filename", str(source), "-"]
        text = subprocess.run(words, input=text, capture_output=True, text=True, check=True).stdout  # noqa: S603  # ours
    return text


def main() -> int:
    """Writes the files, or says which are not as they would be."""
    is_check = "--check" in sys.argv[1:]
    stale = []
    for source in sorted((FACADE / "_async").glob("[!_]*.py")):
        target, text = FACADE / "_sync" / source.name, derived(source)
        if not target.exists() or target.read_text("utf-8") != text:
            stale.append(target.name)
            if not is_check:
                target.write_text(text, "utf-8")
    if is_check and stale:
        print(f"facade/_sync is not derived from facade/_async: {', '.join(stale)}; run: make generate")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
