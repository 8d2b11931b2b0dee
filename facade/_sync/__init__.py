"""The sync client, derived from `facade._async` by `make generate` (scripts/unasync.py)."""
