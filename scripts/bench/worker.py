"""Does tasks with one library, in a process of its own, and says what each cost it.

    python -m scripts.bench.worker LIBRARY

Reads a JSON array a line, the name of a task and its arguments, and answers with an object a line: the objects that
were read, seconds of CPU time and of wall time, and the largest resident memory of the process so far in MiB.
"""

from __future__ import annotations

import gc
import json
import resource
import sys
import time
from pathlib import Path

from scripts.bench.libraries import library


def peak_mib() -> float:
    """The largest resident memory of this process; Linux's own figure leaves out what it was before `exec`."""
    status = Path("/proc/self/status")
    if status.exists():
        (kib,) = (line.split()[1] for line in status.read_text().splitlines() if line.startswith("VmHWM:"))
        return int(kib) / 1024
    largest = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return largest / 2**20 if sys.platform == "darwin" else largest / 1024


def main() -> None:
    """Does one task after the other until its input ends."""
    tasks = library(sys.argv[1])
    for line in sys.stdin:
        task, *arguments = json.loads(line)
        gc.collect()
        cpu, wall = time.process_time(), time.perf_counter()
        count = getattr(tasks, task)(*arguments)
        wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
        print(json.dumps({"count": count, "cpu": cpu, "wall": wall, "mib": peak_mib()}), flush=True)


if __name__ == "__main__":
    main()
