"""Ways of making models of parsed steps, without a server: what decided how the project's models are made.

    python scripts/bench/models.py COUNT ROUNDS

Prints a JSON object: for each way the microseconds of CPU time a step, medians of alternating rounds, of making it
(`make`), of making it and reading status and usage (`glance`), of making it and reading every field (`read`), and of
making it and giving it back as a dict (`to_dict`). Nothing that is made is kept, as in a walk.
"""

from __future__ import annotations

import gc
import json
import statistics
import sys
import time
from collections.abc import Callable
from typing import Any, Union, get_args, get_origin

import attrs
import cattrs
from cattrs.gen import make_dict_structure_fn, override
from libraries import read
from server import STEPS
from stock_client import models as stock_models
from stock_client.types import Unset

from openai_thread_runs_api.models import RunStepObject

Make = Callable[[dict[str, Any]], Any]


def cattrs_make() -> Make:
    """A cattrs converter over the stock attrs classes, which builds all of them at once."""
    converter = cattrs.Converter(detailed_validation=False)
    names = vars(stock_models) | {"Unset": Unset}
    classes = [cls for cls in vars(stock_models).values() if attrs.has(cls)]
    for cls in classes:
        attrs.resolve_types(cls, globalns=names | vars(sys.modules[cls.__module__]), localns=names)

    def kinds(cls: Any) -> Any:
        """The values of `type` that a class is chosen by: those of its enumeration."""
        field = attrs.fields_dict(cls).get("type_")
        return {item.value for item in field.type} if field is not None and hasattr(field.type, "__members__") else None

    def union(annotation: Any) -> Callable[[Any, Any], Any]:
        parts = [part for part in get_args(annotation) if part not in (type(None), Unset)]
        objects = [part for part in parts if attrs.has(part)]
        lists = [part for part in parts if get_origin(part) is list]
        enums = [part for part in parts if hasattr(part, "__members__")]
        by_kind = {kind: part for part in objects for kind in kinds(part) or ()}

        def structure(value: Any, _: Any) -> Any:
            if isinstance(value, dict) and objects:
                cls = by_kind.get(value.get("type"), objects[0])
                return converter.structure(value, cls)
            if isinstance(value, list) and lists:
                return converter.structure(value, lists[0])
            if isinstance(value, str) and enums:
                return enums[0](value)
            return value

        return structure

    def is_union(annotation: Any) -> bool:
        return get_origin(annotation) in (Union, type(int | str))

    converter.register_structure_hook_factory(is_union, union)
    converter.register_structure_hook(float, lambda value, _: value)
    for cls in classes:
        renamed = {f.name: override(rename=f.name.rstrip("_")) for f in attrs.fields(cls) if f.name.endswith("_")}
        converter.register_structure_hook_factory(
            lambda annotation, cls=cls: annotation is cls,
            lambda annotation, renamed=renamed: make_dict_structure_fn(annotation, converter, **renamed),
        )
    return lambda step: converter.structure(step, stock_models.RunStepObject)


WAYS: dict[str, Make] = {
    "view": RunStepObject._of,
    "cattrs": cattrs_make(),
    "stock": stock_models.RunStepObject.from_dict,
}


def glance(step: Any) -> None:
    """Reads what a list of steps shows."""
    _ = step.status, step.usage


TASKS: dict[str, Callable[[Any], Any]] = {
    "make": lambda step: None,
    "glance": glance,
    "read": read,
    "to_dict": lambda step: step.to_dict(),
}


def cpu_us(make: Make, task: Callable[[Any], Any], body: bytes) -> float:
    """The microseconds of CPU time a step, of the steps of a body."""
    steps = json.loads(body)
    gc.collect()
    begin = time.process_time()
    for step in steps:
        task(make(step))
    return (time.process_time() - begin) * 1e6 / len(steps)


def main() -> None:
    """Measures every way in turn, some rounds."""
    count, rounds = int(sys.argv[1]), int(sys.argv[2])
    body = json.dumps([STEPS[number % len(STEPS)] for number in range(count)]).encode()
    for make in WAYS.values():
        assert [make(json.loads(json.dumps(step))).to_dict() for step in STEPS] == STEPS
    found = [
        {way: {task: cpu_us(make, work, body) for task, work in TASKS.items()} for way, make in WAYS.items()}
        for _ in range(rounds)
    ]
    print(json.dumps({way: {task: statistics.median(f[way][task] for f in found) for task in TASKS} for way in WAYS}))


if __name__ == "__main__":
    main()
