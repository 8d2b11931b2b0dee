"""One object on a terminal: everything that it holds, what went wrong first."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from rich.text import Text

from facade._reading.values import seconds_of, value_in
from facade.commands._kinds import Kind, duration, local_time, number, text
from facade.commands._table import Terminal, coloured

_HEAD = ("id", "object", "status", "last_error", "incomplete_details", "step_details", "content", "usage")


class Detail:
    """Prints objects one below the other, each with a line for each of its fields; as long as it takes."""

    def __init__(self, kind: Kind) -> None:
        self.console = Terminal()
        self._kind = kind

    def write(self, item: Mapping[str, Any]) -> None:
        """Print one object."""
        title = Text(self.console.plain(text(item.get("id"))), style="bold")
        if status := text(item.get("status") or item.get("role")):
            title.append("  ").append(coloured(self.console.plain(status)))
        self.console.print_text(title)
        for problem in _problems(item):
            self.console.print_text(Text(self.console.plain(problem), style="red"))
        if took := duration(item):
            self._print_field("duration", took, 0)
        if usage := _usage(item.get("usage")):
            self._print_field("usage", usage, 0)
        times = {name: at for name, value in item.items() if name.endswith("_at") and (at := seconds_of(value))}
        for name in sorted(times, key=lambda name: times[name]):
            self._print_field(name, local_time(times[name]), 0)
        for name, value in item.items():
            if name not in (*_HEAD, *times) and value not in (None, [], {}):
                self._print_field(name, value, 0)
        details = item.get("step_details")
        calls = value_in(details, "tool_calls")
        for call in calls if isinstance(calls, list) else [] if details is None else [details]:
            self._print_part(call)
        content = item.get("content")
        for part in content if isinstance(content, list) else [] if content is None else [content]:
            said = part if isinstance(part, str) else value_in(value_in(part, "text"), "value")
            if isinstance(said, str):
                self.console.print_text(Text(self.console.plain(said)))
            else:
                self._print_part(part)

    def flush(self) -> None:
        """Nothing is held."""

    def _print_part(self, part: Any) -> None:
        """A tool call, or another part of an object: its kind and id, then whatever it holds."""
        kind, part_id = text(value_in(part, "type")) or "?", text(value_in(part, "id"))
        self.console.print_text(Text(self.console.plain(f"{kind} {part_id}".rstrip()), style="bold"))
        held = dict(part) if isinstance(part, Mapping) else {"value": part}
        own = held.pop(kind, None)  # what a function call keeps under "function"
        held = {name: value for name, value in held.items() if name not in ("type", "id")}
        held |= own if isinstance(own, Mapping) else {} if own is None else {kind: own}
        for name, value in held.items():
            if value not in (None, [], {}):
                self._print_field(name, value, 2)

    def _print_field(self, name: str, value: Any, indent: int) -> None:
        value = _parsed(value)
        short = self.console.plain(text(value))
        is_tree = isinstance(value, Mapping | list) and (len(short) > 60 or "\\n" in short) and indent < 10
        label = Text(f"{self.console.plain(name)}:", style="dim")
        if not is_tree and "\n" not in short:
            label.append(Text(f" {short}", style="not dim"))
        self.console.print_text(label, indent)
        if is_tree:
            for key, held in value.items() if isinstance(value, Mapping) else [("-", each) for each in value]:
                self._print_field(key, held, indent + 2)
        elif "\n" in short:
            self.console.print_text(Text(short.rstrip("\n")), indent + 2)


def _problems(item: Mapping[str, Any]) -> Iterator[str]:
    failed, incomplete = item.get("last_error"), item.get("incomplete_details")
    if failed:
        code, message = text(value_in(failed, "code")), text(value_in(failed, "message"))
        yield ": ".join(part for part in (code, message) if part) or text(failed)
    if incomplete:
        yield f"incomplete: {text(value_in(incomplete, 'reason') or incomplete)}"


def _usage(usage: Any) -> str:
    if not isinstance(usage, Mapping):
        return text(usage)
    parts = (
        f"{count:,} {name.removesuffix('_tokens')}" if (count := number(value)) is not None else f"{name} {text(value)}"
        for name, value in usage.items()
        if value not in (None, {})
    )
    return ", ".join(parts)


def _parsed(value: Any) -> Any:
    """The JSON in a text, as function calls have it; anything else as it is."""
    try:
        return json.loads(value) if isinstance(value, str) and value.startswith(("{", "[")) else value
    except (ValueError, RecursionError):
        return value
