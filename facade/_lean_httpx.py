"""Imports httpx without its command line, which loads click, rich and pygments wherever they happen to be installed.

That takes as long as all the rest of httpx, and a program that imports this package asked for none of it. The name is
free again afterwards: `import httpx._main` works as ever.
"""

import sys

if "httpx" not in sys.modules:
    sys.modules["httpx._main"] = None  # type: ignore[assignment]  # how Python says "do not look for it"
    try:
        import httpx  # noqa: F401
    finally:
        del sys.modules["httpx._main"]
