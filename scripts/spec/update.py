"""Take the newest upstream description: pin it, generate from it, and say what changed.

    python -m scripts.spec.update [SPEC] [--summary FILE]

SPEC is a file, or an https address, which is fetched; without one it is upstream's own. Where the pinned description
stays as it is, nothing is written. Else openapi/ and generated/ are made anew, and FILE gets the differences as
Markdown, for a pull request. Ends with 0 either way, with 2 where SPEC cannot be had or pinned, and with 1 where
nothing can be generated from it.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import httpx

from scripts import generate
from scripts.pin import FOLDER, ROOT, pin_file
from scripts.spec.comparing import describe
from scripts.spec.differences import as_markdown, as_text
from scripts.spec.reading import FileError, load

UPSTREAM = "https://raw.githubusercontent.com/openai/openai-openapi/HEAD/openapi.yaml"
MAX_BYTES = 50_000_000
TIMEOUT_SEC = 60


def fetch(address: str, file: Path) -> None:
    """Write what an https address gives to a file.

    Raises:
        httpx.HTTPError: It cannot be had, or is larger than `MAX_BYTES`.
    """
    reading = httpx.stream("GET", address, follow_redirects=True, timeout=TIMEOUT_SEC)
    with reading as response, file.open("wb") as out:
        response.raise_for_status()
        for chunk in response.iter_bytes():
            out.write(chunk)
            if out.tell() > MAX_BYTES:
                raise httpx.HTTPError(f"it is larger than {MAX_BYTES:,} bytes")


def update(spec: Path, summary: Path, *, folder: Path = FOLDER, generated: Path = ROOT / "generated") -> int:
    """Pin and generate where something changed, and give the exit code.

    Args:
        spec: a whole description
        summary: the file for the differences as Markdown; written only where there are any
        folder: where the pinned description is
        generated: the folder of the generated package

    Raises:
        FileError: It cannot be pinned.
    """
    pinned = folder / "openapi.yaml"
    with tempfile.TemporaryDirectory() as scratch:
        new = Path(scratch)
        pin_file(spec, new, lists_all=True)
        if (new / "openapi.yaml").read_bytes() == pinned.read_bytes():
            print(f"{pinned} is up to date: nothing was written")
            return 0
        differences = describe(load(pinned), load(new / "openapi.yaml"))
        shutil.copytree(new, folder, dirs_exist_ok=True)
    print(as_text(differences))
    if code := generate.main(["--spec", str(pinned), "--output", str(generated)]):
        return code
    summary.parent.mkdir(parents=True, exist_ok=True)
    summary.write_text(as_markdown(differences) + "\n", "utf-8")
    return 0


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command and give its exit code."""
    parser = argparse.ArgumentParser(description="Take the newest upstream description.")
    parser.add_argument("spec", nargs="?", default=UPSTREAM, help="a file or an https address (default: upstream's)")
    parser.add_argument("--summary", type=Path, default=ROOT / "build" / "spec-diff.md", help="what changed")
    arguments = parser.parse_args(argv)
    arguments.summary.unlink(missing_ok=True)
    with tempfile.TemporaryDirectory() as scratch:
        spec = Path(arguments.spec)
        try:
            if arguments.spec.startswith("https://"):
                spec = Path(scratch) / "openapi.yaml"
                fetch(arguments.spec, spec)
            return update(spec, arguments.summary)
        except (FileError, httpx.HTTPError) as error:
            print(f"update-spec: {arguments.spec}: {error}", file=sys.stderr)
            return 2


if __name__ == "__main__":
    raise SystemExit(main())
