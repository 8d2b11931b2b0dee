"""The async client, as it is written; `facade._sync` is derived from it."""
