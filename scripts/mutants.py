"""Changes the core in small ways and says which changes no test notices: `make mutants MODULES="_paging _exchange"`.

    python scripts/mutants.py [--sample N] [MODULE]...

A copy of the committed tree is changed, one place at a time, by cosmic-ray; the tests that are about the module run
against it. A mutant that survives is a line without a test, or one that makes no difference.
"""

from __future__ import annotations

import argparse
import json
import random
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
TREE = ROOT / "build/mutants"
TESTS = {
    "_life/answering": "answering lifecycle",
    "_answers": "answers answer_bodies tolerance",
    "_arguments": "arguments pipeline",
    "_async/lifecycle": "lifecycle streams",
    "_async/pool": "connections concurrency streams",
    "_async/streams": "streams",
    "_async/walks": "paging side_by_side",
    "_auth": "requests configuration secrets",
    "_life/bodies": "bodies lifecycle",
    "_life/events": "events",
    "_exchange": "log errors answer_bodies faults",
    "_failure_log": "log errors",
    "_life/gathering": "gathering streaming",
    "_http": "errors requests faults secrets",
    "_network_async": "errors connections network concurrency",
    "_network_bytes": "connections properties",
    "_network_sync": "errors connections network concurrency",
    "_operations": "requests",
    "_options": "options configuration arguments views",
    "_paging": "paging side_by_side errors",
    "_prefetch_async": "side_by_side paging concurrency",
    "_prefetch_sync": "side_by_side paging concurrency",
    "_route": "options network connections",
    "_life/streaming": "streaming",
    "_life/waiting": "waiting lifecycle",
    "cmdlets": "cmdlets options",
    "errors": "errors paging",
    "run_cmdlets": "run_cmdlets",
}
"""The tests of each module, the quickest first."""

SETTINGS = """
[cosmic-ray]
module-path = ["facade/{module}.py"]
timeout = 60.0
excluded-modules = []
test-command = "{python} -m pytest -x -q -p no:cacheprovider {tests}"

[cosmic-ray.distributor]
name = "local"

[cosmic-ray.filters.operators-filter]
exclude-operators = ["core/ReplaceBinaryOperator_BitOr_.*"]
"""
"""`|` stands in types as a rule."""


def run(*command: str | Path) -> str:
    """Runs a command in the copy and gives what it said."""
    return subprocess.run(command, cwd=TREE, check=True, text=True, stdout=subprocess.PIPE).stdout  # noqa: S603  # ours


def copy() -> None:
    """Copies what is committed or staged."""
    shutil.rmtree(TREE, ignore_errors=True)
    subprocess.run(["git", "checkout-index", "--all", f"--prefix={TREE}/"], cwd=ROOT, check=True)  # noqa: S603, S607  # git is ours


def try_module(module: str, sample: int) -> tuple[int, list[str]]:
    """Tries some mutants of a module; gives how many, and the differences of those that survived."""
    from cosmic_ray.work_db import WorkDB, use_db
    from cosmic_ray.work_item import WorkerOutcome, WorkResult

    tools = Path(sys.executable).parent
    tests = " ".join(f"tests/test_{name}.py" for name in TESTS[module].split())
    settings, session = TREE / "mutants.toml", TREE / "mutants.sqlite"
    settings.write_text(SETTINGS.format(module=module, tests=tests, python=ROOT / ".venv/bin/python"))
    session.unlink(missing_ok=True)
    run(tools / "cosmic-ray", "init", settings, session)
    run(tools / "cr-filter-operators", session, settings)
    with use_db(str(session), WorkDB.Mode.open) as work:
        rest = [item.job_id for item in work.pending_work_items]
        for job_id in random.Random(module).sample(rest, max(0, len(rest) - sample)):  # noqa: S311  # the same each time
            work.set_result(job_id, WorkResult(worker_outcome=WorkerOutcome.SKIPPED))
    run(tools / "cosmic-ray", "exec", settings, session)
    count, survived = 0, []
    for line in run(tools / "cosmic-ray", "dump", session).splitlines():
        _, result = json.loads(line)
        if result and result["worker_outcome"] == "normal":
            count += 1
            if result["test_outcome"] == "survived":
                survived.append(result["diff"])
    return count, survived


def main() -> None:
    """Tries the modules of the command line, or all."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("modules", metavar="MODULE", nargs="*", help=f"one of {', '.join(TESTS)}; all without one")
    parser.add_argument("--sample", type=int, default=40, help="how many mutants of each module, by chance")
    given = parser.parse_args()
    total = lost = 0
    for module in given.modules or TESTS:
        copy()
        count, survived = try_module(module, given.sample)
        total, lost = total + count, lost + len(survived)
        print(f"{module}: {count - len(survived)} of {count} noticed", flush=True)
        for diff in survived:
            changes = [line for line in diff.splitlines() if line[:2] not in ("--", "++")]
            print("\n".join(line for line in changes if line.startswith(("@@", "-", "+"))), end="\n\n", flush=True)
    print(f"{total - lost} of {total} mutants were noticed")


if __name__ == "__main__":
    main()
