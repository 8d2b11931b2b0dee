"""Reads odd values, tool calls and lists for the optional parts (commands, tables, pages, traces, sums)."""
