"""A sample: a bakery whose assistant takes orders, looks things up and does the sums. Invented throughout."""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import Any

from facade import FILE_SEARCH_RESULT_CONTENT
from facade.archive._store import Store
from facade.server.sample_parts import (
    OPENING_TIME,
    SAMPLE_THREAD_ID,
    Json,
    assistant,
    call,
    code,
    connected_agent,
    ended,
    file_search,
    function,
    image,
    mcp,
    message,
    message_creation,
    run,
    step,
    step_of,
    text,
    thread,
    under_way,
)

EMPTY_THREAD_ID = "thread_bakery_new"
ORDER_THREAD_ID = "thread_bakery_order"
MILL_THREAD_ID = "thread_bakery_mill"

_FINAL = ("completed", "failed", "cancelled", "expired", "incomplete")


def write_sample(path: str | os.PathLike[str]) -> str:
    """Write the sample into the archive at `path` (made when missing): a thread of a dozen runs, and three small ones.

    The same objects every time, so writing twice changes nothing. A real thread has one unfinished run at most; this
    one has a run in every state, and steps of every kind. One of the small threads is empty; in the others one
    assistant asks another, which uses a tool server. Returns the id of the thread with the dozen runs.

    Raises ValueError when `path` is some other kind of file.
    """
    titles = {
        SAMPLE_THREAD_ID: "the morning's orders",
        EMPTY_THREAD_ID: "nothing asked yet",
        ORDER_THREAD_ID: "flour for next week",
        MILL_THREAD_ID: "asked by the bakery",
    }
    runs, steps, messages = [], [], []
    for number, (question, answers, told, *its_steps) in enumerate(_story(), start=1):
        run_id = f"run_bakery_{number:02}"
        # A run begins ten minutes after the one before, and its times are told from there.
        began_at = OPENING_TIME + 600 * (number - 1)
        runs.append(run(run_id, began_at, told))
        steps += [step(run_id, place, began_at, parts) for place, parts in enumerate(its_steps, start=1)]
        messages.append(message(f"msg_asked_{number:02}", began_at - 5, text(question)))
        messages += [message(name, began_at + after_sec, *parts, run_id=run_id) for name, after_sec, *parts in answers]
    for thread_id, run_id, began_at, told, its_steps, asked, answered in _agents():
        runs.append(run(run_id, began_at, told, thread_id))
        steps += [step(run_id, place, began_at, parts, thread_id) for place, parts in enumerate(its_steps, start=1)]
        messages.append(message(f"msg_asked_{run_id}", began_at - 5, text(asked), thread_id=thread_id))
        answer = message(f"msg_answer_{run_id}", began_at + 20, text(answered), run_id=run_id, thread_id=thread_id)
        messages.append(answer)
    with Store(path) as store:
        store.add(
            threads=[thread(thread_id, title) for thread_id, title in titles.items()],
            runs=runs,
            steps=steps,
            messages=messages,
            assistants=[assistant()],
        )
        _note_what_is_whole(store, titles, runs)
    return SAMPLE_THREAD_ID


def _note_what_is_whole(store: Store, thread_ids: Iterable[str], runs: list[Json]) -> None:
    """As an export would: nothing is missing but the ends of the runs that are still going on."""
    with store.transaction():
        for thread_id in thread_ids:
            store.note_list("runs", thread_id, state="complete")
            store.note_list("messages", thread_id, state="complete")
        for item in runs:
            if item["status"] in _FINAL:
                include = [FILE_SEARCH_RESULT_CONTENT]
                store.note_list("steps", item["thread_id"], item["id"], state="complete", include=include)


def _story() -> list[list[Any]]:
    """Each run's question, answers, own fields and steps; times are seconds from the run's beginning."""
    return [
        [  # 1: which loaves are free of nuts?
            "Which loaves are free of nuts?",
            [
                (
                    "msg_nut_free",
                    9,
                    text(
                        "Rye, seeded loaf and baguette are free of nuts【4:0†allergens.md】. The walnut spelt is not.",
                        ("file-allergens", "【4:0†allergens.md】"),
                    ),
                )
            ],
            ended("completed", 9, tokens=(1480, 96)),
            step_of(
                "completed",
                4,
                file_search(
                    "call_allergens",
                    ("file-allergens", "allergens.md", 0.93, "Rye loaf, seeded loaf, baguette: no nuts, no traces."),
                    ("file-recipes", "recipes.md", 0.71, "Walnut spelt: 180 g of walnuts to the kilo of flour."),
                ),
                tokens=(1040, 22),
            ),
            step_of("completed", 9, message_creation("msg_nut_free"), tokens=(440, 74)),
        ],
        [  # 2: how much flour does the week take?
            "How much flour does the week take?",
            [
                ("msg_flour", 21, image("file-flour-chart"), text("192.2 kg, most of it on Saturday: see the chart.")),
            ],
            ended("completed", 21, tokens=(2310, 402), model="gpt-4.1"),
            step_of(
                "completed",
                14,
                code(
                    "call_flour",
                    "loaves = [40, 40, 45, 45, 60, 80]\nprint(sum(loaves) * 0.62, 'kg')\nplot(loaves)",
                    {"type": "logs", "logs": "192.2 kg\n"},
                    {"type": "image", "image": {"file_id": "file-flour-chart"}},
                ),
                tokens=(1150, 260),
            ),
            step_of("completed", 21, message_creation("msg_flour"), tokens=(1160, 142)),
        ],
        [  # 3: sixty rolls for a wedding on Saturday: are they to be had, what do they cost, can they be brought?
            "Sixty rye rolls for Saturday's wedding, please: are they to be had, and brought? 7 km.",
            [
                ("msg_wedding", 34, text("72 are free. 60 rolls are 57.00, brought on Saturday 8.50: 65.50 in all.")),
            ],
            ended("completed", 34, tokens=(3905, 518)),
            step_of(
                "completed",
                12,
                function("call_stock", "check_stock", '{"item":"rye roll","count":60}', '{"free":72}'),
                function("call_delivery", "quote_delivery", '{"day":"Saturday","km":7}', '{"eur":8.5}'),
                file_search(
                    "call_prices",
                    ("file-prices", "prices.csv", 0.88, "rye roll;0.95\nspelt roll;1.10"),
                ),
                tokens=(1720, 133),
            ),
            step_of(
                "completed",
                23,
                code("call_total", "print(60 * 0.95 + 8.5)", {"type": "logs", "logs": "65.5\n"}),
                tokens=(985, 61),
            ),
            step_of("completed", 34, message_creation("msg_wedding"), tokens=(1200, 324)),
        ],
        [  # 4: too many questions at once
            "Baguettes? Croissants? Rolls? Cakes? What do they all cost?",
            [],
            ended(
                "failed",
                2,
                last_error={
                    "code": "rate_limit_exceeded",
                    "message": "The bakery's tokens for this minute are used up.",
                },
            ),
        ],
        [  # 5: the calculation broke down
            "Plan both ovens for tomorrow, please.",
            [("msg_moment", 5, text("A moment, I am working it out."))],
            ended(
                "failed",
                17,
                tokens=(1260, 88),
                last_error={"code": "server_error", "message": "The oven plan could not be worked out."},
            ),
            step_of("completed", 5, message_creation("msg_moment"), tokens=(410, 18)),
            step_of(
                "failed",
                17,
                code("call_oven_plan", "plan = fit(batches, ovens=2)\nprint(plan)"),
                tokens=(850, 70),
                last_error={"code": "server_error", "message": "The sandbox stopped answering."},
            ),
        ],
        [  # 6: the whole catalogue, please
            "Send me the whole catalogue.",
            [
                ("msg_catalogue", 15, text("1. Rye loaf, 4.80\n2. Seeded loaf, 5.20\n3. Walnut spelt, 5.90\n4. Bag")),
            ],
            ended(
                "incomplete",
                15,
                tokens=(2100, 512),
                max_completion_tokens=512,
                incomplete_details={"reason": "max_completion_tokens"},
            ),
            step_of("completed", 15, message_creation("msg_catalogue"), tokens=(2100, 512)),
        ],
        [  # 7: nobody told the assistant what the stock is
            "Are there twelve brioches left?",
            [],
            ended("expired", 600, tokens=(760, 41), expires_at=600),
            step_of("expired", 600, function("call_stock_late", "check_stock", '{"item":"brioche","count":12}', None)),
        ],
        [  # 8: the customer thought better of it
            "A nut cake. No, wait, leave it.",
            [],
            ended("cancelled", 8, tokens=(690, 12)),
            step_of("cancelled", 8, function("call_cake", "check_stock", '{"item":"nut cake","count":1}', None)),
        ],
        [  # 9: being called off
            "Draw me a poster for the summer breads. Or rather don't.",
            [],
            under_way("cancelling", started_at=1),
            step_of("in_progress", None, code("call_poster", "draw_poster('Summer bread')")),
        ],
        [  # 10: waiting to be told
            "25 baguettes on Tuesday, 3 km from you: what does it come to?",
            [],
            under_way(
                "requires_action",
                started_at=1,
                required_action={
                    "type": "submit_tool_outputs",
                    "submit_tool_outputs": {
                        "tool_calls": [
                            call("call_baguettes", "check_stock", '{"item":"baguette","count":25}'),
                            call("call_tuesday", "quote_delivery", '{"day":"Tuesday","km":3}'),
                        ]
                    },
                },
            ),
            step_of(
                "in_progress",
                None,
                function("call_baguettes", "check_stock", '{"item":"baguette","count":25}', None),
                function("call_tuesday", "quote_delivery", '{"day":"Tuesday","km":3}', None),
            ),
        ],
        [  # 11: writing the answer just now; the search before it found nothing
            "Is there anything without gluten?",
            [("msg_gluten", 6)],
            under_way("in_progress", started_at=2),
            step_of("completed", 6, file_search("call_gluten"), tokens=(930, 19)),
            step_of("in_progress", None, message_creation("msg_gluten")),
        ],
        [  # 12: next in line
            "And when do you open on Sunday?",
            [],
            under_way("queued"),
        ],
    ]


def _agents() -> list[tuple[str, str, int, Json, list[Json], str, str]]:
    """One assistant that asks another, and what that one did."""
    order = '{"item":"rye flour","kg":190}'
    offer = "190 kg of rye flour on Thursday: 228.00."
    return [
        (
            ORDER_THREAD_ID,
            "run_bakery_order",
            OPENING_TIME + 7200,
            ended("completed", 20, tokens=(820, 95), tools=[{"type": "connected_agent"}]),
            [
                step_of(
                    "completed",
                    17,
                    connected_agent("call_mill", "mill", order, offer, (MILL_THREAD_ID, "run_bakery_mill")),
                    tokens=(510, 40),
                ),
                step_of("completed", 20, message_creation("msg_answer_run_bakery_order"), tokens=(310, 55)),
            ],
            "Order the flour for next week.",
            "The mill brings 190 kg of rye flour on Thursday, for 228.00.",
        ),
        (
            MILL_THREAD_ID,
            "run_bakery_mill",
            OPENING_TIME + 7203,
            ended("completed", 13, tokens=(640, 72), tools=[{"type": "mcp"}]),
            [
                step_of(
                    "completed",
                    6,
                    mcp("call_silo", "silo", "stock_of", '{"item":"rye flour"}', '{"kg":1450}'),
                    mcp("call_silo_price", "silo", "price_of", '{"item":"rye flour","kg":190}', '{"eur":228.0}'),
                    tokens=(400, 31),
                ),
                step_of("completed", 13, message_creation("msg_answer_run_bakery_mill"), tokens=(240, 41)),
            ],
            order,
            offer,
        ),
    ]
