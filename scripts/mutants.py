"""Changes the core in small ways and says which changes no test notices: `make mutants MODULES="_paging _exchange"`.

    python scripts/mutants.py [--sample N] [--minutes N] [MODULE]...

A copy of the committed tree is changed, one place at a time, by cosmic-ray; the tests that are about the module run
against it. A mutant that survives is a line without a test, or one that makes no difference.
"""

from __future__ import annotations

import argparse
import difflib
import os
import random
import re
import shlex
import shutil
import signal
import subprocess
import time
import tomllib
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cosmic_ray.work_item import MutationSpec

ROOT = Path(__file__).resolve().parent.parent
TREE = ROOT / "build/mutants"
PYTHON = ROOT / ".venv/bin/python"
TESTS: dict[str, str] = tomllib.loads(Path(__file__).with_suffix(".toml").read_text("utf-8"))
"""The tests of each module of the core."""
ASIDE = {"__main__", "_reading", "_version", "usage"}
"""What lies beside the core's modules and is none."""
PYTEST = "--disable-plugin-autoload -p no:cacheprovider -o faulthandler_exit_on_timeout=true -o faulthandler_timeout=30"
"""Options of pytest: without plugins it begins sooner, and a test that hangs ends it."""
POINTLESS = re.compile(r"core/(ReplaceBinaryOperator_BitOr_.*|ReplaceComparisonOperator_(Is_Eq|IsNot_NotEq))")
"""`|` stands in types as a rule, and `== None` says what `is None` does."""


def modules() -> list[str]:
    """The modules of the core that are written by hand, without those that only make a folder a package."""
    paths = [path for pattern in ("*.py", "_*/*.py") for path in (ROOT / "facade").glob(pattern)]
    names = {str(path.relative_to(ROOT / "facade").with_suffix("")): path.read_text("utf-8") for path in paths}
    return sorted(
        name
        for name, text in names.items()
        if not text.startswith("# Derived") and name.partition("/")[0] not in ASIDE and not name.endswith("/__init__")
    )


def sample(names: list[str], count: int) -> list[tuple[str, MutationSpec]]:
    """Some mutants of each module by its share of all, at least one, mixed; no two of a kind in one place."""
    from cosmic_ray.commands.init import init
    from cosmic_ray.work_db import WorkDB, use_db

    with use_db("mutants.sqlite", WorkDB.Mode.create) as work:
        init([Path("facade", f"{name}.py") for name in names], work, {})
        found = [item.mutations[0] for item in work.work_items]
    found = [mutant for mutant in found if not POINTLESS.fullmatch(mutant.operator_name)]
    found.sort(key=lambda mutant: (mutant.module_path, mutant.operator_name, mutant.occurrence))
    chance = random.Random(count)  # noqa: S311  # the same each time
    chance.shuffle(found)
    places = {(each.module_path, each.start_pos, each.operator_name.partition("_")[0]): each for each in found}
    chosen = []
    for name in names:
        own = [(name, each) for each in places.values() if each.module_path == Path(f"facade/{name}.py")]
        chosen += own[: max(1, round(count * len(own) / len(places)))]
    return chance.sample(chosen, len(chosen))


def failure(names: list[str]) -> str:
    """What the tests of modules say that fail on the copy as it is, or take too long or too much memory."""
    from cosmic_ray.testing import run_tests
    from cosmic_ray.work_item import TestOutcome

    # The sync side is derived anew each time: of a mutant of the async one, and without it again.
    tests = dict.fromkeys(test for name in names for test in TESTS[name].split())
    paths = " ".join(re.sub(r"(\w+)(\S*)", r"tests/test_\1.py\2", test, count=1) for test in tests)
    command = f"ulimit -v 8000000; {PYTHON} scripts/unasync.py && {PYTHON} -m pytest -x -q {PYTEST} {paths}"
    outcome, told = run_tests(f"sh -c {shlex.quote(command)}", timeout=1200)
    return "" if outcome is TestOutcome.SURVIVED else told or "they failed"


def survivor(name: str, mutant: MutationSpec) -> str:
    """Where a mutant that no test notices is and what it changes; nothing where one does."""
    from cosmic_ray.mutating import use_mutation
    from cosmic_ray.plugins import get_operator

    operator = get_operator(mutant.operator_name)(**mutant.operator_args)
    with use_mutation(mutant.module_path, operator, mutant.occurrence) as (before, after):
        if after is None or failure([name]):
            return ""
    changes = difflib.unified_diff(before.splitlines(), after.splitlines(), n=0, lineterm="")
    shown = [line for line in changes if not line.startswith(("---", "+++", "@@"))]
    return "\n".join([f"{mutant.module_path}:{mutant.start_pos[0]}: survived {mutant.operator_name}", *shown, ""])


def copy() -> None:
    """Copies what is committed or staged, and goes there."""
    shutil.rmtree(TREE, ignore_errors=True)
    subprocess.run(["git", "checkout-index", "--all", f"--prefix={TREE}/"], cwd=ROOT, check=True)  # noqa: S603, S607  # git is ours
    os.chdir(TREE)
    os.environ["PYTHONPATH"] = os.pathsep.join([str(TREE), str(TREE / "generated")])
    # cosmic-ray has no bytecode written: what is there already is held against the source, not its time.
    command = [str(PYTHON), "-m", "compileall", "-q", "--invalidation-mode", "checked-hash", "facade", "generated"]
    subprocess.run(command, check=True)  # noqa: S603  # ours


def main() -> None:
    """Tries mutants of the modules of the command line, or of all."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("modules", metavar="MODULE", nargs="*", help="one of the core, as _async/pool; all without one")
    parser.add_argument("--sample", type=int, default=350, help="how many mutants in all, by chance")
    parser.add_argument("--minutes", type=float, default=60, help="how long at most; what is left then is not tried")
    given = parser.parse_args()
    if unknown := set(given.modules or modules()) - TESTS.keys():
        raise SystemExit(f"no tests are named for {', '.join(sorted(unknown))}: scripts/mutants.toml")
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a background job's is ignored, which tests would inherit
    copy()
    chosen = sample(given.modules or modules(), given.sample)
    names = sorted({name for name, _ in chosen})
    if told := failure(names) and failure(names):  # a busy machine fails some test now and then
        raise SystemExit(f"the tests fail without any mutant\n{told[-2000:]}")
    began, tried, lost = time.monotonic(), Counter[str](), Counter[str]()
    for name, mutant in chosen:
        if time.monotonic() - began < 60 * given.minutes:
            told = survivor(name, mutant)
            tried[name], lost[name] = tried[name] + 1, lost[name] + bool(told)
            print(told, end="\n" * bool(told), flush=True)
    for name in names:
        print(f"{name}: {tried[name] - lost[name]} of {tried[name]} noticed")
    share, minutes = 1 - lost.total() / tried.total(), (time.monotonic() - began) / 60
    print(f"{tried.total() - lost.total()} of {tried.total()} mutants noticed ({share:.1%}), in {minutes:.0f} minutes")


if __name__ == "__main__":
    main()
