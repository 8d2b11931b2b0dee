"""What the scripted assistant does about what it is asked: the rules of a bakery's counter, without a model.

`next_stage` reads the words of the question and gives what comes next; the same words always lead to the same stages.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any, NamedTuple

from facade.server._scene import Scene
from facade.server.sample_parts import Json, code, file_search, image, mcp, text
from facade.server.sample_parts import function as function_call


class Say(NamedTuple):
    """Write a message: its parts as they will be. `is_cut`: the limit on tokens is reached at its end."""

    parts: tuple[Json, ...]
    is_cut: bool = False


class UseTools(NamedTuple):
    """Call tools.

    Attributes:
        calls: as a step has them in the end; those of functions and of tool servers wait for the caller
        takes_sec: how long the assistant's own tools are at work
        error: why they fail; None where they don't
    """

    calls: tuple[Json, ...]
    takes_sec: float = 0.1
    error: str | None = None


class Fail(NamedTuple):
    """Give the run up: the error's code, and the cause for people."""

    code: str
    message: str


Stage = Say | UseTools | Fail

POSTER_SEC = 60.0

PRICES = {
    "rye loaf": 4.8,
    "seeded loaf": 5.2,
    "walnut spelt": 5.9,
    "baguette": 2.4,
    "brioche": 2.2,
    "croissant": 1.9,
    "nut cake": 24.0,
    "rye roll": 0.95,
    "spelt roll": 1.1,
}
_HOURS = "We are open from 6 to 18 o'clock, on Saturdays to 14 o'clock, and closed on Sundays."
_GREETING = "Good morning! Ask me what is left, what it costs, what is in it, or when we are open."
_CATALOGUE = "".join(
    f"{place}. {item.capitalize()}, {eur:.2f}\n" for place, (item, eur) in enumerate(PRICES.items(), 1)
)
_SOURCE = "loaves = [40, 40, 45, 45, 60, 80]\nprint(sum(loaves) * 0.62, 'kg')\nplot(loaves)"
_NUMBERS = {"one": 1, "two": 2, "three": 3, "six": 6, "ten": 10, "dozen": 12, "twelve": 12, "twenty": 20, "sixty": 60}
_DAY = re.compile(r"(?:Mon|Tues|Wednes|Thurs|Fri|Satur|Sun)day")
_COMMON = frozenset(("call", "check", "fetch", "find", "from", "give", "list", "make", "quote", "read", "show", "with"))


def is_hurried(question: str) -> bool:
    """Whether the run is to be given up after two seconds, so that one can see it expire."""
    return "hurry" in question.lower()


def next_stage(scene: Scene) -> Stage | None:
    """What comes next, after the steps that there are; None when all is done."""
    stages = list(_stages(scene))
    done = len(scene.steps)
    return stages[done] if done < len(stages) else None


def _stages(scene: Scene) -> Iterator[Stage]:
    asked, tools = scene.question.lower(), _tools(scene.run)
    if "all cost" in asked:
        yield Fail("rate_limit_exceeded", "The bakery's tokens for this minute are used up.")
        return
    if "catalogue" in asked:
        yield Say((text(_CATALOGUE[:84]),), is_cut=True)
        return
    if re.search(r"\bovens?\b", asked) and "code_interpreter" in tools:
        plan = code("", "plan = fit(batches, ovens=2)\nprint(plan)")
        yield Say((text("A moment, I am working it out."),))
        yield UseTools((plan,), error="The oven plan could not be worked out.")
        return
    functions = _functions(scene)
    if functions and scene.run["parallel_tool_calls"]:
        yield UseTools(tuple(functions))
    elif functions:
        yield from (UseTools((function,)) for function in functions)
    if "file_search" in tools:
        yield from (UseTools((file_search("", *found),)) for found in _searches(asked))
    if "code_interpreter" in tools and "flour" in asked and "week" in asked:
        outputs = ({"type": "logs", "logs": "192.2 kg\n"}, {"type": "image", "image": {"file_id": "file-flour-chart"}})
        yield UseTools((code("", _SOURCE, *outputs),))
    if "code_interpreter" in tools and "poster" in asked:
        yield UseTools((code("", "draw_poster('Summer bread')"),), takes_sec=POSTER_SEC)
    if re.search(r"\bmill\b", asked) and tools:
        kg = _before(asked, "kg") or 190
        label = tools.get("mcp", {}).get("server_label") or "silo"
        yield UseTools((mcp("", label, "order", json.dumps({"item": "rye flour", "kg": kg}), None),))
    yield Say(tuple(_answer(scene)))


def ordered(arguments: str) -> str:
    """What the mill's tool server gives for an order."""
    kg = json.loads(arguments).get("kg", 0)
    return json.dumps({"kg": kg, "eur": round(kg * 1.2, 2)})


def _tools(run: Json) -> dict[str, Any]:
    """The kinds of tools that a run may use, functions aside, each with the tool itself."""
    return {} if run["tool_choice"] == "none" else {tool["type"]: tool for tool in run["tools"]}


# Functions


def _functions(scene: Scene) -> list[Json]:
    """The calls of the caller's functions that the question asks for."""
    run, asked = scene.run, scene.question.lower()
    known = [tool["function"] for tool in run["tools"] if tool["type"] == "function"]
    choice = run["tool_choice"]
    if choice == "none":
        return []
    if isinstance(choice, dict) and choice["type"] == "function":
        name = choice.get("function", {}).get("name")
        wanted = [function for function in known if function["name"] == name]
    else:
        wanted = [function for function in known if _is_asked_for(function["name"], asked)]
        if choice == "required":
            wanted = wanted or known[:1]
    return [
        function_call("", function["name"], json.dumps(_arguments(function, scene.question)), None)
        for function in wanted
    ]


def _is_asked_for(name: str, asked: str) -> bool:
    if name == "check_stock":
        return re.search(r"\bleft\b|in stock|to be had", asked) is not None or (
            _item(asked) is not None and _number(asked) is not None
        )
    if name == "quote_delivery":
        return re.search(r"\bkm\b|\bbring|\bbrought\b|\bdeliver", asked) is not None
    words = [word for word in re.findall(r"[a-z]{4,}", name.lower()) if word not in _COMMON]
    return name.lower() in asked or any(re.search(rf"\b{word}", asked) for word in words)


def _arguments(function: Json, question: str) -> Json:
    """What a function is called with: each of its parameters, out of the question's words where they have it."""
    properties = (function.get("parameters") or {}).get("properties") or {}
    numbers = iter(
        [float(number) if "." in number else int(number) for number in re.findall(r"\d+(?:\.\d+)?", question)]
    )
    return {name: _argument(name, schema, question, numbers) for name, schema in properties.items()}


def _argument(name: str, schema: Any, question: str, numbers: Iterator[float]) -> Any:
    asked, schema = question.lower(), schema if isinstance(schema, dict) else {}
    if name == "item":
        return _item(asked) or "rye loaf"
    if name in ("count", "km"):
        return (_before(asked, "km") if name == "km" else _number(asked)) or 1
    if name == "day":
        day = _DAY.search(question)
        return day[0] if day else "Monday"
    if values := schema.get("enum"):
        return next((value for value in values if str(value).lower() in asked), values[0])
    kind = schema.get("type", "string")
    kind = next(iter(kind), "string") if isinstance(kind, list) else kind
    if kind in ("integer", "number"):
        number = next(numbers, 1)
        return int(number) if kind == "integer" else number
    if kind == "string":
        quoted = re.search(r"[\"'“](.+?)[\"'”]", question)
        named = re.findall(r"(?<=[a-z,] )[A-Z]\w+", question)
        return quoted[1] if quoted else named[-1] if named else question
    return {"boolean": True, "array": [], "object": {}}.get(kind)


def _item(asked: str) -> str | None:
    return next((item for item in PRICES if item in asked), None)


def _number(asked: str) -> int | None:
    for word in re.findall(r"\d+|[a-z]+", asked):
        if word.isdecimal() or word in _NUMBERS:
            return _NUMBERS.get(word) or int(word)
    return None


def _before(asked: str, unit: str) -> float | None:
    found = re.search(rf"(\d+(?:\.\d+)?)\s*{unit}\b", asked)
    return (float(found[1]) if "." in found[1] else int(found[1])) if found else None


# Files


def _searches(asked: str) -> Iterator[list[tuple[str, str, float, str]]]:
    """What each search in the bakery's files finds: (file id, file name, score, text)."""
    if re.search(r"\bnuts?\b(?! cake)|allerg", asked):
        yield [
            ("file-allergens", "allergens.md", 0.93, "Rye loaf, seeded loaf, baguette: no nuts, no traces."),
            ("file-recipes", "recipes.md", 0.71, "Walnut spelt: 180 g of walnuts to the kilo of flour."),
        ]
    if re.search(r"\b(cost|price)", asked):
        item = _item(asked)
        lines = [f"{name};{eur:.2f}" for name, eur in PRICES.items() if item in (None, name)]
        yield [("file-prices", "prices.csv", 0.88, "\n".join(lines))]
    if "gluten" in asked:
        yield []


# Answers


def _answer(scene: Scene) -> Iterator[Json]:
    """The parts of the answer, out of what the tools gave."""
    sentences: list[str] = []
    cited: list[tuple[str, str]] = []
    for done in scene.calls():
        match done["type"]:
            case "function":
                sentences.append(_told(done["function"]["name"], done["function"]["output"] or ""))
            case "mcp" if done["output"] is None:
                sentences.append("You did not approve the order, so nothing was ordered.")
            case "mcp":
                sentences.append(_told(done["name"], done["output"]))
            case "code_interpreter" if done["code_interpreter"]["outputs"]:
                yield image("file-flour-chart")
                sentences.append("192.2 kg, most of it on Saturday: see the chart.")
            case "code_interpreter":
                sentences.append("The poster hangs at the door.")
            case "file_search":
                sentence, citations = _quoted(done["file_search"]["results"], len(cited))
                sentences.append(sentence)
                cited += citations
    if not sentences:
        asks_hours = re.search(r"\bopen\b|\bclose|\bhours\b", scene.question.lower())
        sentences.append(_HOURS if asks_hours else _GREETING)
    yield text(" ".join(sentences), *cited)


def _told(name: str, output: str) -> str:
    """What a function or a tool server gave, in a sentence."""
    try:
        match json.loads(output):
            case {"kg": int() | float() as kg, "eur": int() | float() as eur}:
                return f"The mill brings {kg} kg of rye flour on Thursday, for {eur:.2f}."
            case {"eur": int() | float() as eur}:
                return f"Bringing it costs {eur:.2f}."
            case {"free": int() as free}:
                return f"{free} are free."
    except (ValueError, RecursionError):
        pass
    return f"{name} says: {output}"


def _quoted(results: list[Json], place: int) -> tuple[str, list[tuple[str, str]]]:
    """What a search found, in a sentence, and what that cites; `place` is how many citations stand before."""
    if not results:
        return "I found nothing about that in our files.", []
    first = results[0]
    mark = f"【4:{place}†{first['file_name']}】"
    if first["file_id"] == "file-allergens":
        sentence = f"Rye, seeded loaf and baguette are free of nuts{mark}. The walnut spelt is not."
    else:
        items = [line.split(";") for line in first["content"][0]["text"].splitlines()]
        sentence = ", ".join(f"{item.capitalize()}: {eur}" for item, eur in items) + f"{mark}."
    return sentence, [(first["file_id"], mark)]
