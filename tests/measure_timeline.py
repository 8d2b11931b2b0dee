"""How fast a large thread's page opens, scrolls and is searched in headless Chromium.

python tests/measure_timeline.py [STEPS]     # 30000 where left out
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import Any

from browser import Browser
from timeline_sample import a_large_thread

from facade import timeline

# What our own script takes of each frame, apart from the browser's layout and painting.
COUNT = """const ask = requestAnimationFrame;
self.costs = [];
self.requestAnimationFrame = (act) => ask((now) => {
  const from = performance.now();
  act(now);
  costs.push(performance.now() - from);
});"""
LOAD = "performance.getEntriesByType('navigation')[0].loadEventEnd"
SCROLL = """new Promise((done) => {
  const times = [];
  let before = performance.now();
  const step = (now) => {
    times.push(now - before);
    before = now;
    list.scrollTop += 150;
    if (times.length < 300) requestAnimationFrame(step);
    else done(times.slice(2).sort((a, b) => a - b));
  };
  requestAnimationFrame(step);
})"""
SEARCH = """new Promise((done) => {
  const box = document.getElementById("search"), before = performance.now();
  box.value = "%s";
  box.oninput();
  new MutationObserver(() => requestAnimationFrame(() => done(performance.now() - before))).observe(
    document.getElementById("found"), { childList: true });
})"""


def main(steps: int) -> None:
    """Prints a table: what, milliseconds."""
    with tempfile.TemporaryDirectory() as folder, Browser() as browser:
        client: Any = a_large_thread(steps)
        path = timeline.write(client, "thread_large", to=Path(folder) / "large.html")
        print(f"{steps} steps, a page of {path.stat().st_size / 1e6:.1f} MB")
        loads = []
        for _ in range(3):
            with browser.open(path) as page:
                loads.append(page.run(LOAD))
        print(f"open (load event, best and median of 3)     {min(loads):7.0f} {sorted(loads)[1]:7.0f} ms")
        with browser.open(path, before=COUNT) as page:
            page.run("costs.length = 0")
            frames = page.run(SCROLL)
            own = sorted(page.run("costs"))
            print(f"frame while scrolling 150 px each (median)  {frames[len(frames) // 2]:7.1f} ms")
            print(f"  99th percentile, slowest of 300           {frames[-3]:7.1f} {frames[-1]:7.1f} ms")
            rare = own[-len(own) // 100]
            print(f"  of it the page's own script (median, 99th) {own[len(own) // 2]:6.1f} {rare:7.1f} ms")
            print(f"search, the first time                      {page.run(SEARCH % 'notes'):7.0f} ms")
            print(f"search, then                                {page.run(SEARCH % 'question'):7.0f} ms")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 30_000)
