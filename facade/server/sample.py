"""A sample thread: a bakery whose assistant takes orders, looks things up and does the sums. Invented throughout."""

from __future__ import annotations

import os
from typing import Any

from facade.archive._store import Store

SAMPLE_THREAD_ID = "thread_bakery"
EMPTY_THREAD_ID = "thread_bakery_new"

_ASSISTANT_ID = "asst_bakery"
_OPENING_TIME = 1748844000  # Monday 2025-06-02, 06:00 UTC

_Json = dict[str, Any]


def write_sample(path: str | os.PathLike[str]) -> str:
    """Write the sample into the database at `path` (made when missing): a thread of a dozen runs, and an empty one.

    The same objects every time, so writing twice changes nothing. A real thread has one unfinished run at most; this
    one has a run in every state, and steps of every kind. Returns the id of the thread with the runs.

    Raises ValueError when `path` is some other kind of file.
    """
    threads = [_thread(SAMPLE_THREAD_ID, "the morning's orders"), _thread(EMPTY_THREAD_ID, "nothing asked yet")]
    runs, steps = [], []
    for number, (run, *its_steps) in enumerate(_story(), start=1):
        run_id = f"run_bakery_{number:02}"
        # A run begins ten minutes after the one before, and its times are told from there.
        began_at = _OPENING_TIME + 600 * (number - 1)
        runs.append(_run(run_id, began_at, run))
        steps += [_step(run_id, place, began_at, step) for place, step in enumerate(its_steps, start=1)]
    with Store(path) as store:
        store.add(threads=threads, runs=runs, steps=steps)
    return SAMPLE_THREAD_ID


def _story() -> list[list[_Json]]:
    """Each run followed by its steps, told by what sets them apart; times are seconds from the run's beginning."""
    return [
        [  # 1: which loaves are free of nuts?
            _ended("completed", 9, tokens=(1480, 96)),
            _step_of(
                "completed",
                4,
                _file_search(
                    "call_allergens",
                    ("file-allergens", "allergens.md", 0.93, "Rye loaf, seeded loaf, baguette: no nuts, no traces."),
                    ("file-recipes", "recipes.md", 0.71, "Walnut spelt: 180 g of walnuts to the kilo of flour."),
                ),
                tokens=(1040, 22),
            ),
            _step_of("completed", 9, _message("msg_nut_free"), tokens=(440, 74)),
        ],
        [  # 2: how much flour does the week take?
            _ended("completed", 21, tokens=(2310, 402), model="gpt-4.1"),
            _step_of(
                "completed",
                14,
                _code(
                    "call_flour",
                    "loaves = [40, 40, 45, 45, 60, 80]\nprint(sum(loaves) * 0.62, 'kg')\nplot(loaves)",
                    {"type": "logs", "logs": "192.2 kg\n"},
                    {"type": "image", "image": {"file_id": "file-flour-chart"}},
                ),
                tokens=(1150, 260),
            ),
            _step_of("completed", 21, _message("msg_flour"), tokens=(1160, 142)),
        ],
        [  # 3: sixty rolls for a wedding on Saturday: are they to be had, what do they cost, can they be brought?
            _ended("completed", 34, tokens=(3905, 518)),
            _step_of(
                "completed",
                12,
                _function("call_stock", "check_stock", '{"item":"rye roll","count":60}', '{"free":72}'),
                _function("call_delivery", "quote_delivery", '{"day":"Saturday","km":7}', '{"eur":8.5}'),
                _file_search(
                    "call_prices",
                    ("file-prices", "prices.csv", 0.88, "rye roll;0.95\nspelt roll;1.10"),
                ),
                tokens=(1720, 133),
            ),
            _step_of(
                "completed",
                23,
                _code("call_total", "print(60 * 0.95 + 8.5)", {"type": "logs", "logs": "65.5\n"}),
                tokens=(985, 61),
            ),
            _step_of("completed", 34, _message("msg_wedding"), tokens=(1200, 324)),
        ],
        [  # 4: too many questions at once
            _ended(
                "failed",
                2,
                last_error={
                    "code": "rate_limit_exceeded",
                    "message": "The bakery's tokens for this minute are used up.",
                },
            ),
        ],
        [  # 5: the calculation broke down
            _ended(
                "failed",
                17,
                tokens=(1260, 88),
                last_error={"code": "server_error", "message": "The oven plan could not be worked out."},
            ),
            _step_of("completed", 5, _message("msg_moment"), tokens=(410, 18)),
            _step_of(
                "failed",
                17,
                _code("call_oven_plan", "plan = fit(batches, ovens=2)\nprint(plan)"),
                tokens=(850, 70),
                last_error={"code": "server_error", "message": "The sandbox stopped answering."},
            ),
        ],
        [  # 6: the whole catalogue, please
            _ended(
                "incomplete",
                15,
                tokens=(2100, 512),
                max_completion_tokens=512,
                incomplete_details={"reason": "max_completion_tokens"},
            ),
            _step_of("completed", 15, _message("msg_catalogue"), tokens=(2100, 512)),
        ],
        [  # 7: nobody told the assistant what the stock is
            _ended("expired", 600, tokens=(760, 41), expires_at=600),
            _step_of(
                "expired", 600, _function("call_stock_late", "check_stock", '{"item":"brioche","count":12}', None)
            ),
        ],
        [  # 8: the customer thought better of it
            _ended("cancelled", 8, tokens=(690, 12)),
            _step_of("cancelled", 8, _function("call_cake", "check_stock", '{"item":"nut cake","count":1}', None)),
        ],
        [  # 9: being called off
            _under_way("cancelling", started_at=1),
            _step_of("in_progress", None, _code("call_poster", "draw_poster('Summer bread')")),
        ],
        [  # 10: waiting to be told
            _under_way(
                "requires_action",
                started_at=1,
                required_action={
                    "type": "submit_tool_outputs",
                    "submit_tool_outputs": {
                        "tool_calls": [
                            _call("call_baguettes", "check_stock", '{"item":"baguette","count":25}'),
                            _call("call_tuesday", "quote_delivery", '{"day":"Tuesday","km":3}'),
                        ]
                    },
                },
            ),
            _step_of(
                "in_progress",
                None,
                _function("call_baguettes", "check_stock", '{"item":"baguette","count":25}', None),
                _function("call_tuesday", "quote_delivery", '{"day":"Tuesday","km":3}', None),
            ),
        ],
        [  # 11: writing the answer just now; the search before it found nothing
            _under_way("in_progress", started_at=2),
            _step_of("completed", 6, _file_search("call_gluten"), tokens=(930, 19)),
            _step_of("in_progress", None, _message("msg_gluten")),
        ],
        [  # 12: next in line
            _under_way("queued"),
        ],
    ]


def _thread(thread_id: str, title: str) -> _Json:
    return {
        "id": thread_id,
        "object": "thread",
        "created_at": _OPENING_TIME - 60,
        "metadata": {"title": title},
        "tool_resources": {"file_search": {"vector_store_ids": ["vs_bakery"]}},
    }


def _ended(status: str, after_sec: int, *, tokens: tuple[int, int] | None = None, **fields: Any) -> _Json:
    """A run that has ended so many seconds after its beginning, with (prompt, completion) tokens."""
    times = {"started_at": 1} if status == "expired" else {"started_at": 1, _END[status]: after_sec}
    return {"status": status, "usage": _usage(tokens), **times, **fields}


def _under_way(status: str, **fields: Any) -> _Json:
    return {"status": status, "expires_at": 600, **fields}


# Which time says when a run or step has ended. An incomplete run has completed_at; an expired run has expires_at only.
_END = {
    "completed": "completed_at",
    "incomplete": "completed_at",
    "failed": "failed_at",
    "cancelled": "cancelled_at",
    "expired": "expired_at",
}


def _run(run_id: str, began_at: int, fields: _Json) -> _Json:
    run: _Json = {
        "id": run_id,
        "object": "thread.run",
        "created_at": began_at,
        "thread_id": SAMPLE_THREAD_ID,
        "assistant_id": _ASSISTANT_ID,
        "status": "queued",
        "required_action": None,
        "last_error": None,
        "expires_at": None,
        "started_at": None,
        "cancelled_at": None,
        "failed_at": None,
        "completed_at": None,
        "incomplete_details": None,
        "model": "gpt-4o-mini",
        "instructions": "You take the orders of a small bakery. Look things up before you promise them.",
        "tools": [
            {"type": "code_interpreter"},
            {"type": "file_search", "file_search": {"max_num_results": 5}},
            _tool("check_stock", "How many of an item are free.", item="string", count="integer"),
            _tool("quote_delivery", "What it costs to bring an order.", day="string", km="number"),
        ],
        "metadata": {"counter": "front"},
        "usage": None,
        "temperature": 0.4,
        "top_p": 1.0,
        "max_prompt_tokens": None,
        "max_completion_tokens": None,
        "truncation_strategy": {"type": "auto", "last_messages": None},
        "tool_choice": "auto",
        "parallel_tool_calls": True,
        "response_format": "auto",
    }
    return run | _dated(fields, began_at)


def _step(run_id: str, place: int, began_at: int, fields: _Json) -> _Json:
    step: _Json = {
        "id": f"{run_id.replace('run', 'step')}_{place}",
        "object": "thread.run.step",
        "created_at": began_at + place,
        "run_id": run_id,
        "assistant_id": _ASSISTANT_ID,
        "thread_id": SAMPLE_THREAD_ID,
        "type": fields["step_details"]["type"],
        "status": "in_progress",
        "cancelled_at": None,
        "completed_at": None,
        "expired_at": None,
        "failed_at": None,
        "last_error": None,
        "step_details": None,
        "metadata": {},
        "usage": None,
    }
    return step | _dated(fields, began_at)


def _dated(fields: _Json, began_at: int) -> _Json:
    return {key: began_at + value if key.endswith("_at") else value for key, value in fields.items()}


def _step_of(
    status: str, after_sec: int | None, *parts: _Json, tokens: tuple[int, int] | None = None, **fields: Any
) -> _Json:
    """A step made of tool calls, or of one message; `after_sec` as for a run, None while it is in progress."""
    is_message = parts[0]["type"] == "message_creation"
    details = parts[0] if is_message else {"type": "tool_calls", "tool_calls": list(parts)}
    ends = {} if after_sec is None else {_END[status]: after_sec}
    return {"status": status, "step_details": details, "usage": _usage(tokens), **ends, **fields}


def _usage(tokens: tuple[int, int] | None) -> _Json | None:
    if tokens is None:
        return None
    prompt, completion = tokens
    return {"prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": prompt + completion}


def _message(message_id: str) -> _Json:
    return {"type": "message_creation", "message_creation": {"message_id": message_id}}


def _code(call_id: str, source: str, *outputs: _Json) -> _Json:
    return {"id": call_id, "type": "code_interpreter", "code_interpreter": {"input": source, "outputs": list(outputs)}}


def _file_search(call_id: str, *found: tuple[str, str, float, str]) -> _Json:
    """A search with what it found: (file id, file name, score, text)."""
    results = [
        {"file_id": file_id, "file_name": name, "score": score, "content": [{"type": "text", "text": text}]}
        for file_id, name, score, text in found
    ]
    ranking_options = {"ranker": "default_2024_08_21", "score_threshold": 0.5}
    return {
        "id": call_id,
        "type": "file_search",
        "file_search": {"ranking_options": ranking_options, "results": results},
    }


def _call(call_id: str, name: str, arguments: str) -> _Json:
    return {"id": call_id, "type": "function", "function": {"name": name, "arguments": arguments}}


def _function(call_id: str, name: str, arguments: str, output: str | None) -> _Json:
    return {"id": call_id, "type": "function", "function": {"name": name, "arguments": arguments, "output": output}}


def _tool(name: str, description: str, **types: str) -> _Json:
    parameters = {
        "type": "object",
        "properties": {argument: {"type": kind} for argument, kind in types.items()},
        "required": list(types),
    }
    function = {"name": name, "description": description, "parameters": parameters, "strict": False}
    return {"type": "function", "function": function}
