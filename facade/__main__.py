"""`python -m facade`: the same commands as `thread-runs`."""

from __future__ import annotations

from facade.commands import main

main()
