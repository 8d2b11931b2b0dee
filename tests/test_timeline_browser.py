"""The timeline's page in a real browser: what it draws, what it does when asked, and that no content ever runs."""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from browser import CHROMIUM, Browser, Page
from timeline_sample import SCRIPT, FakeClient, a_hostile_client, a_large_thread, a_thread, an_odd_thread

from facade import timeline

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium (Debian: apt-get install chromium)")

ROWS = "[...document.querySelectorAll('.row')].sort((a, b) => a.ariaRowIndex - b.ariaRowIndex)"
NAMES = f"{ROWS}.map((row) => row.querySelector('.name').textContent)"
DETAIL = "document.getElementById('detail').textContent"
TRAP = "self.hits = []; self.hacked = () => hits.push(1); self.broken = [];"
TRAP += (
    "addEventListener('securitypolicyviolation', (event) => broken.push(event.violatedDirective + event.blockedURI))"
)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """One browser for all of the module's pages."""
    with Browser() as started:
        yield started


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the pages of the sample threads."""
    folder = tmp_path_factory.mktemp("pages")
    clients = {"sample": a_thread(), "odd": an_odd_thread(), "hostile": a_hostile_client()}
    clients["empty"] = FakeClient({"thread": {"id": "thread_empty"}})
    for name, client in clients.items():
        threads = list(client.held)[: 1 if name == "sample" else None]
        timeline.write(client, threads, to=folder / f"{name}.html")  # type: ignore[arg-type]
    return folder


@pytest.fixture
def opened(browser: Browser, folder: Path) -> Iterator[Any]:
    """Opens pages, sees to it that none failed or asked for anything, and closes them."""
    with contextlib.ExitStack() as stack:
        pages: list[Page] = []

        def open_page(name: str = "sample", **options: Any) -> Page:
            pages.append(stack.enter_context(browser.open(folder / f"{name}.html", before=TRAP, **options)))
            return pages[-1]

        yield open_page
        for page in pages:
            check(page)


def check(page: Page) -> None:
    """Nothing has thrown, been refused, or left the page, and no content has run."""
    assert page.events("Runtime.exceptionThrown") == []
    assert page.run("hits") == []
    assert page.run("broken") == []
    addresses = [event["request"]["url"] for event in page.events("Network.requestWillBeSent")]
    assert [url for url in addresses if not url.startswith(("file:///", "data:image/"))] == []
    assert len({url for url in addresses if url.startswith("file:")}) == 1


def pick(page: Page, key: str) -> str:
    """Follow the link to an object; what its details say."""
    page.run(f"location.hash = '#' + encodeURIComponent({json.dumps(key)})")
    page.settle()
    return str(page.run(DETAIL))


def names(page: Page) -> list[str]:
    """The names of the rows in the document, in their order."""
    found: list[str] = page.run(NAMES)
    return found


# Untrusted content


def test_the_trap_catches_a_script_that_runs(browser: Browser, tmp_path: Path) -> None:
    """A page that has content as markup is caught: so the next test can fail."""
    (tmp_path / "naive.html").write_text(f"<p>{SCRIPT}</p>")
    with browser.open(tmp_path / "naive.html", before=TRAP) as page:
        assert len(page.run("hits")) >= 2
    (tmp_path / "held.html").write_text(timeline.render(a_thread(), "thread_hours_1"))  # type: ignore[arg-type]
    with browser.open(tmp_path / "held.html", before=TRAP) as page:
        page.run("document.body.append(Object.assign(document.createElement('script'), {textContent: 'hacked()'}))")
        assert (page.run("hits"), len(page.run("broken"))) == ([], 1)


def test_scripts_in_every_field_run_nowhere(opened: Any) -> None:
    """With scripts in every text, key, kind, state and id, everything that can be opened is opened: none has run."""
    page = opened("hostile")
    seen = page.run("""(async () => {
      const frame = () => new Promise((done) => requestAnimationFrame(done));
      const press = (key) => list.dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true }));
      const list = document.getElementById("list"), detail = document.getElementById("detail");
      const seen = new Set();
      for (let k = 0; k < list.ariaRowCount; k++) {
        if (list.querySelector("[aria-selected=true]")?.ariaExpanded === "false") press("ArrowRight");
        press("ArrowDown");
        for (const part of detail.querySelectorAll("details")) part.open = true;
        await frame();
        await frame();
        seen.add(list.getAttribute("aria-activedescendant"));
        for (const child of detail.querySelectorAll("*")) {
          child.dispatchEvent(new MouseEvent("mouseover", { bubbles: true }));
        }
      }
      for (const chip of document.querySelectorAll(".chip")) { chip.click(); await frame(); chip.click(); }
      for (const by of ["u", "?", "s", "e"]) { press(by); await frame(); await frame(); }
      press("u");
      for (const by of ["assistant", "day", "thread"]) {
        const choice = detail.querySelector("select");
        choice.value = by;
        choice.onchange();
      }
      return seen.size;
    })()""")
    assert seen >= len(json.loads(page.run("document.getElementById('data').textContent"))["rows"])
    page.run("document.getElementById('search').focus()")
    page.type("<script>hacked()")
    assert page.run("document.querySelectorAll('mark').length") > 5
    foreign = (
        "script:not([type]), iframe, object, embed, #rows img, #detail img:not([src^='data:']), [onerror], [onload]"
    )
    assert page.run(f"document.querySelectorAll({json.dumps(foreign)}).length") == 0
    assert page.run("[...document.querySelectorAll('a')].every((a) => a.getAttribute('href').startsWith('#'))")


# What is drawn


def test_the_rows_are_a_tree_that_screen_readers_can_read(opened: Any) -> None:
    """Rows have roles, a level, a place, a state; a step of one call is closed, one of several is open."""
    page = opened()
    assert names(page)[:6] == ["Thread", "User", "Run 1", "File search", "Message", "User"]
    row = "document.querySelector('#row3')"
    roles = page.run(f"[{row}.role, {row}.ariaLevel, {row}.ariaRowIndex, {row}.ariaExpanded, {row}.parentNode.role]")
    assert roles == ["row", "3", "5", "false", "presentation"]
    assert page.run(f"[...{row}.children].every((cell) => cell.role === 'gridcell')")
    assert page.run(f"{row}.querySelector('.status').textContent") == "completed"
    assert page.run("document.title") == "thread_9fK2mQxB7r - timeline"


def test_bars_lie_where_their_times_are(opened: Any) -> None:
    """On the axis of all time a step lies within its run, and calls over their step; the shortest bar can be seen."""
    page = opened()
    page.click("#bytime")
    box = "((b) => [b.left, b.right, b.width])(document.querySelector('#row{} .fill').getBoundingClientRect())"
    run, first, second = (page.run(box.format(i)) for i in (2, 3, 5))
    assert run[0] <= first[0] < second[0]
    assert second[1] <= run[1] + 6
    assert min(run[2], first[2], second[2]) >= 5


def test_errors_are_seen_first(opened: Any) -> None:
    """The next problem is picked by a key, and its details begin with the error."""
    page = opened()
    page.press("e")
    assert page.run("document.querySelector('[aria-selected=true] .error').textContent").startswith("rate_limit")
    assert (
        page.run("[...document.getElementById('detail').children].slice(2, 5).map((e) => e.className)")[-1] == "fault"
    )
    page.press("e")
    assert "The oven plan" in page.run(DETAIL)


def test_details_show_what_went_in_and_out(opened: Any) -> None:
    """A call's details have its input, output and times; a message's its text and an image that the page holds."""
    page = opened()
    text = pick(page, "step_9fK2mQxB7r_03_2")
    assert "print(sum(loaves) * 0.62, 'kg')" in text
    assert "192.2 kg" in text
    assert "file-flour-chart" in text
    text = pick(page, "call_search_1")
    assert "prices.csv, score 0.88" in text
    assert "which 3 calls share" in text
    messages = a_thread().held["thread_9fK2mQxB7r"]["messages"]
    assert "brioche" in pick(page, next(message["id"] for message in messages if len(message["content"]) == 2))
    assert page.run("document.querySelector('#detail img')?.naturalWidth") == 1


def test_runs_of_connected_agents_are_linked_both_ways(opened: Any) -> None:
    """The call leads to the agent's run, and that run to its caller."""
    page = opened()
    pick(page, "call_agent_1")
    page.run("[...document.querySelectorAll('#detail a')].find((a) => a.textContent === 'run_hours_1_01').click()")
    page.settle()
    assert page.run("location.hash") == "#run_hours_1_01"
    page.run("[...document.querySelectorAll('#detail a')].find((a) => a.textContent === 'hours_agent').click()")
    page.settle()
    assert page.run("location.hash") == "#call_agent_1"


def test_usage_sums_the_runs(opened: Any) -> None:
    """The bars' numbers are the sums of what the runs say, by model and by day."""
    page = opened()
    data = json.loads(page.run("document.getElementById('data').textContent"))
    runs = [json.loads(row["json"]) for row in data["rows"] if row["is"] == "run"]
    total = sum((run["usage"] or {}).get("total_tokens", 0) for run in runs if run["model"] == "gpt-4.1")
    page.press("u")
    first = "document.querySelector('#detail tbody tr').innerText.split(/\\s+/)"
    assert page.run(first)[0] == "gpt-4.1"
    assert page.run(first)[-1] == f"{total:,}"
    page.run("(() => { const by = document.querySelector('select'); by.value = 'day'; by.onchange(); })()")
    assert page.run(first)[0] == "2025-06-02"


# What the reader does


def test_keys_walk_open_and_close(opened: Any) -> None:
    """Arrows go from row to row, open and close; Enter goes to the details and Escape back."""
    page = opened()
    picked = "document.querySelector('[aria-selected=true] .name').textContent"
    page.press("ArrowDown", "ArrowDown", "ArrowDown")
    assert page.run(picked) == "Run 1"
    assert page.run("document.getElementById('list').getAttribute('aria-activedescendant')") == "row2"
    page.press("ArrowLeft")
    assert names(page)[:4] == ["Thread", "User", "Run 1", "User"]
    page.press("ArrowRight", "ArrowRight")
    assert page.run(picked) == "File search"
    page.press("End")
    assert page.run(picked) == "Message"
    page.press("Home", "ArrowDown", "Enter")
    assert page.run("document.activeElement.id") == "detail"
    page.press("Escape")
    assert page.run("document.activeElement.id") == "list"


def test_search_and_filters_keep_what_matches_and_its_place(opened: Any) -> None:
    """A search looks into inputs, outputs and messages; filters go by status and kind; runs stay above their steps."""
    page = opened()
    page.press("/")
    page.type("Working-Hours.pdf")
    assert names(page) == ["Thread", "Run 1", "File search"]
    assert page.run("document.getElementById('found').textContent") == "1 of 66 rows"
    page.press("Enter")
    assert "Night work" in page.run(DETAIL)
    page.run("(() => { const box = document.getElementById('search'); box.value = ''; box.oninput(); })()")
    page.settle()
    page.click("#status .chip[data-status=failed]")
    assert names(page) == ["Thread", "Run 4", "Run 6", "Code interpreter"]
    assert page.run("document.querySelector('.chip[data-status=failed]').ariaPressed") == "true"
    page.click("#kind .chip[data-kind=code]")
    assert names(page) == ["Thread", "Run 6", "Code interpreter"]
    assert "Run 1" in (pick(page, "run_9fK2mQxB7r_01") and names(page))  # a link shows what a filter hid


def test_a_link_opens_the_page_at_its_object(browser: Browser, folder: Path) -> None:
    """The address of an object opens the page there, even inside a step that is closed; picking gives the address."""
    with browser.open((folder / "sample.html").resolve().as_uri() + "#call_agent_1") as page:
        assert page.run("document.querySelector('[aria-selected=true]').dataset.is") == "call"
        assert "May two people bake" in page.run(DETAIL)
        page.press("ArrowUp")
        assert page.run("location.hash") == "#step_9fK2mQxB7r_07_2"


def test_the_overview_zooms_and_leads(opened: Any) -> None:
    """Dragging over the overview shows that part of the time; a click picks what is there; 0 shows all again."""
    page = opened()
    left, top, width = page.run("(() => { const b = overview.getBoundingClientRect(); return [b.x, b.y, b.width]; })()")
    page.drag(left + 5, top + 20, left + width / 4, top + 20)
    assert page.run("[document.getElementById('bytime').ariaPressed, document.getElementById('window').hidden]") == [
        "true",
        False,
    ]
    page.press("0")
    assert page.run("document.getElementById('window').hidden")
    page.drag(left + width - 2, top + 20, left + width - 2, top + 20)
    assert page.run("document.querySelector('[aria-selected=true]') !== null")


def test_text_can_be_selected(opened: Any) -> None:
    """A click that ends a selection picks nothing, so that ids and texts can be copied from the rows."""
    page = opened()
    page.run("getSelection().selectAllChildren(document.querySelector('#row2 .text'))")
    page.run("document.querySelector('#row2').click()")
    assert page.run("document.querySelector('[aria-selected=true]')") is None
    assert page.run("getSelection().toString()") == "Order desk \u00b7 gpt-4.1"


# Any window, any theme, paper


@pytest.mark.parametrize("name", ["sample", "odd", "hostile", "empty"])
def test_a_phone_shows_it_without_scrolling_sideways(opened: Any, name: str) -> None:
    """Nothing is wider than a window of 360 pixels, and details come over the rows and go again."""
    page = opened(name, width=360, height=740)
    assert page.run("document.documentElement.scrollWidth") <= 360
    assert page.run("list.scrollWidth <= list.clientWidth")
    shown = "getComputedStyle(document.getElementById('detail')).display"
    assert page.run(shown) == "none"
    page.run("document.querySelector('.row').click()")
    assert page.run(shown) != "none"
    assert page.run("document.documentElement.scrollWidth") <= 360
    page.click("#close")
    assert page.run(shown) == "none"


def test_the_theme_is_the_systems_until_it_is_chosen(opened: Any) -> None:
    """Light or dark as the system says; the button goes to light, dark and back."""
    ground = "getComputedStyle(document.body).backgroundColor"
    light, dark = opened().run(ground), opened(dark=True).run(ground)
    assert light != dark
    page = opened()
    seen = []
    for _ in range(3):
        page.click("#theme")
        seen.append(page.run(ground))
    assert seen == [light, dark, light]


def test_paper_shows_every_row(opened: Any) -> None:
    """Printing lays out all rows, in light, and without what only a screen can do; afterwards the list is as it was."""
    page = opened(dark=True)
    page.run("addEventListener('beforeprint', () => { self.printed = document.querySelectorAll('.row').length; })")
    before = page.run("document.querySelectorAll('.row').length")
    assert page.pdf().startswith(b"%PDF")
    assert page.run("printed") == int(page.run("list.ariaRowCount")) - 1
    page.settle()
    assert page.run("document.querySelectorAll('.row').length") == before


@pytest.mark.parametrize("name", ["odd", "empty"])
def test_odd_and_empty_threads_open(opened: Any, name: str) -> None:
    """Every row of an odd thread can be picked; an empty thread says that it is."""
    page = opened(name)
    if name == "empty":
        assert "no runs, no messages" in page.run("document.getElementById('none').textContent")
    for _ in range(int(page.run("list.ariaRowCount"))):
        page.run("list.dispatchEvent(new KeyboardEvent('keydown', { key: 'ArrowDown', bubbles: true }))")
        page.run("list.dispatchEvent(new KeyboardEvent('keydown', { key: 'ArrowRight', bubbles: true }))")
        page.run("for (const part of detail.querySelectorAll('details')) part.open = true")
    page.press("s", "s", "u", "?")


def test_a_large_thread_keeps_only_what_is_in_view(browser: Browser, tmp_path: Path) -> None:
    """30,000 steps open, jump to the end and are searched, with fewer than a hundred rows in the document."""
    page_file = timeline.write(a_large_thread(30_000), "thread_large", to=tmp_path / "large.html")  # type: ignore[arg-type]
    with browser.open(page_file, before=TRAP) as page:
        assert page.run("Number(list.ariaRowCount)") > 35_000
        page.run("list.scrollTop = list.scrollHeight")
        page.settle()
        assert "Run 2500" in names(page)
        assert page.run("document.querySelectorAll('.row').length") < 100
        page.run("document.getElementById('search').focus()")
        page.type("question 1234:")
        for _ in range(50):
            if len(names(page)) == 2:
                break
            time.sleep(0.1)
        assert names(page) == ["Thread", "User"]
        check(page)


def test_a_notebooks_frame_draws_the_page(browser: Browser, tmp_path: Path) -> None:
    """In the sandboxed frame that a notebook shows, the page draws itself and its links work."""
    shown = timeline.Timeline(a_thread(), "thread_9fK2mQxB7r")  # type: ignore[arg-type]
    (tmp_path / "notebook.html").write_text(f"<!doctype html><meta charset=utf-8>{shown._repr_html_()}", "utf-8")
    with browser.open(tmp_path / "notebook.html") as page:
        frame = page.frame()
        assert frame.run("document.querySelectorAll('.row').length") > 5
        frame.run("document.querySelector('#row2').click()")
        frame.settle()
        assert "run_9fK2mQxB7r_01" in frame.run(DETAIL)
        assert page.events("Runtime.exceptionThrown") == []
