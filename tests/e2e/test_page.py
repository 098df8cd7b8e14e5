"""The page in a real browser: a person reads runs, replies to questions, and uses the keyboard."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import BrowserContext, Page, expect

from postil import Postil
from postil.http.run_ids import to_segment
from postil.model.actors import agent
from postil.model.conventions import Decision
from postil.settings import Settings, load_settings
from postil_consumers.dashboard.testing import ThreadedDashboard

# The tests share one pipeline and one browser, so one pytest worker runs all of them.
pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser")]

Opened = Any  # the class of conftest.py, which tests cannot import


def address(identifier: str) -> str:
    return f"/runs/{to_segment(identifier)}"


def row(page: Page, name: str) -> Any:
    return page.locator("[data-part=row]", has_text=name)


def live(page: Page) -> Page:
    """Wait until the page receives the feed."""
    expect(page.locator("[data-part=feed-state]")).to_have_text("Live")
    return page


def refund(postil: Postil, run_id: str, name: str = "refund-request") -> None:
    """Write a run with a tool call and a decision that waits for an approval."""
    triage = agent("triage", version="2.1")
    postil.create_run(run_id, name=name, input={"order": "A-8812"}, actor=triage)
    postil.start_stage(run_id, "Triage", stage_id="triage", actor=triage)
    postil.record_tool_call(
        run_id,
        "orders.lookup",
        arguments={"order": "A-8812"},
        result={"charges": 2},
        stage_id="triage",
        duration_ms=340,
    )
    postil.complete_stage(
        run_id,
        "triage",
        Decision(outcome="refund", rationale="It was charged twice.", confidence=0.93),
        actor=triage,
    )
    postil.ask(run_id, "Refund 42 EUR?", interaction_id="approval", to="finance")


def test_runs_appear_and_change_in_place(opened: Opened, postil: Postil, run_id: str) -> None:
    """A new run appears in the list without a reload, and its row changes in place at each event."""
    page = live(opened.at("/"))
    postil.create_run(run_id, name="appears by itself")
    mine = row(page, run_id)
    expect(mine.locator("[data-part=status]")).to_have_text("Running")
    mine.evaluate("row => { window.originalRow = row }")
    postil.start_stage(run_id, "One", stage_id="one")
    postil.annotate(run_id, {"x.y": 1})
    expect(mine.locator("[data-part=contents]")).to_have_text(re.compile("1 stage.*1 annotation"))
    postil.complete_stage(run_id, "one")
    postil.finish_run(run_id, result={"ok": True})
    expect(mine.locator("[data-part=status]")).to_have_text("Completed")
    assert mine.evaluate("row => row === window.originalRow"), "the row was replaced instead of changed"


def test_a_run_shows_its_decisions_and_their_actors(opened: Opened, postil: Postil, run_id: str) -> None:
    """The page of a run shows each decision with its reason and actor, the tool calls, and the events."""
    refund(postil, run_id)
    page = opened.at(address(run_id))
    expect(page.get_by_role("heading", level=1)).to_have_text("refund-request")
    note = page.locator("[data-kind=decision]")
    expect(note).to_contain_text("refund")
    expect(note).to_contain_text("It was charged twice.")
    expect(note).to_contain_text("93 %")
    expect(note).to_contain_text("agent triage 2.1")
    expect(page.locator("[data-part=lane]")).to_contain_text("Triage")
    page.get_by_role("tab", name="Tool calls").click()
    expect(page).to_have_url(re.compile(r"\?tab=tool-calls$"))
    page.get_by_role("button", name="orders.lookup").click()
    expect(page.locator("[data-part=fold-body]")).to_contain_text('"charges": 2')
    page.get_by_role("tab", name="Events").click()
    page.get_by_role("button", name=re.compile("^Event 1: run:created")).click()
    page.get_by_role("button", name="Show the envelope").click()
    expect(page.get_by_role("region", name="Envelope")).to_contain_text('{"specversion":"1.0"')
    page.go_back()
    expect(page.get_by_role("tab", name="Tool calls")).to_have_attribute("aria-selected", "true")


def test_an_answer_is_shown_on_every_open_page_of_the_run(
    opened: Opened, context: BrowserContext, postil: Postil, run_id: str
) -> None:
    """An approval answered on one page of a run appears on every other open page of that run."""
    refund(postil, run_id)
    page = live(opened.at(address(run_id)))
    other = context.new_page()
    other.goto(opened.url + address(run_id))
    live(other)
    page.get_by_label("Note (optional)").fill("Checked the statement.")
    page.get_by_label("Your name").fill("ada")
    page.get_by_role("button", name="Accept").click()
    for view in (page, other):
        expect(view.locator("[data-kind=approval]")).to_contain_text("accepted")
        expect(view.locator("[data-kind=approval]")).to_contain_text("Checked the statement.")
        expect(view.locator("[data-kind=approval]")).to_contain_text("by ada")
        expect(view.locator("main header [data-part=status]")).to_have_text("Running")


def test_a_pending_question_is_answered_in_the_list(opened: Opened, postil: Postil, run_id: str) -> None:
    """The list of pending questions shows a new question, takes its answer, and drops it at the next load."""
    page = live(opened.at("/waiting"))
    refund(postil, run_id)
    mine = page.locator("[data-part=waiting]", has_text=run_id)
    expect(mine.locator("[data-part=prompt]")).to_have_text("Refund 42 EUR?")
    mine.get_by_role("button", name="Decline").click()
    expect(mine.locator("[data-part=outcome]")).to_contain_text("Declined")
    expect(mine.get_by_role("button", name="Decline")).to_have_count(0)
    page.reload()
    expect(page.get_by_role("heading", name="Waiting for a person")).to_be_visible()
    expect(page.locator("[data-part=waiting]", has_text=run_id)).to_have_count(0)


def test_a_second_answer_is_refused_and_the_first_shown(opened: Opened, postil: Postil, run_id: str) -> None:
    """An answer that arrives after another is refused, and the page shows the first."""
    refund(postil, run_id)
    page = opened.at("/waiting")
    mine = page.locator("[data-part=waiting]", has_text=run_id)
    expect(mine.get_by_role("button", name="Accept")).to_be_visible()
    page.route(
        "**/resolve",
        lambda route: (
            postil.resolve_interaction(run_id, "approval", {"outcome": "decline"}),
            route.continue_(),
        ),
    )
    mine.get_by_role("button", name="Accept").click()
    expect(mine).to_contain_text(re.compile("resolved already|Declined"))
    opened.errors[:] = [error for error in opened.errors if "409" not in error]


def test_a_question_gone_from_the_list_shows_its_outcome(opened: Opened, postil: Postil, run_id: str) -> None:
    """A question that the list no longer contains stays on the page until the feed brings its answer."""
    refund(postil, run_id)
    page = live(opened.at("/waiting"))
    mine = page.locator("[data-part=waiting]", has_text=run_id)
    expect(mine.get_by_role("button", name="Accept")).to_be_visible()
    page.route("**/api/waiting*", lambda route: route.fulfill(json={"items": [], "next": None}))
    with page.expect_response("**/api/waiting*"):
        refund(postil, f"{run_id}/another")  # its question makes the page request the list

    postil.resolve_interaction(run_id, "approval", {"outcome": "decline"})

    expect(mine.locator("[data-part=outcome]")).to_contain_text("Declined")


def test_the_keyboard_can_do_everything(opened: Opened, postil: Postil, run_id: str) -> None:
    """Search, the list, a run, the help and the views can be used with the keyboard alone."""
    for n in range(3):
        postil.create_run(f"{run_id}/{n}", name=f"keyboard {n}")
    page = live(opened.at("/"))
    page.keyboard.press("/")
    page.keyboard.type(run_id)
    expect(page.locator("[data-part=row]")).to_have_count(3)
    page.keyboard.press("Enter")
    expect(row(page, "keyboard 2").locator("a")).to_be_focused()
    page.keyboard.press("j")
    page.keyboard.press("j")
    expect(row(page, "keyboard 0").locator("a")).to_be_focused()
    page.keyboard.press("k")
    expect(row(page, "keyboard 1").locator("a")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text("keyboard 1")
    page.keyboard.press("Escape")
    expect(page.locator("[data-part=row]")).to_have_count(3)
    page.keyboard.press("?")
    expect(page.get_by_role("dialog")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_be_hidden()
    page.keyboard.press("g")
    page.keyboard.press("p")
    expect(page.get_by_role("heading", level=1)).to_have_text("Pipeline")


def test_the_filter_is_in_the_url(opened: Opened, postil: Postil, run_id: str) -> None:
    """The filter is part of the URL, so a reload and the Back button restore it."""
    postil.create_run(f"{run_id}/running", name="a")
    postil.create_run(f"{run_id}/pending", name="b", pending=True)
    page = opened.at(f"/?q={run_id}")
    expect(page.locator("[data-part=row]")).to_have_count(2)
    page.get_by_role("button", name=re.compile("^Pending")).click()
    expect(page.locator("[data-part=row]")).to_have_count(1)
    expect(page).to_have_url(re.compile(r"status=pending"))
    page.reload()
    expect(page.get_by_role("button", name=re.compile("^Pending"))).to_have_attribute("aria-pressed", "true")
    expect(page.locator("[data-part=row]")).to_have_count(1)
    page.go_back()
    expect(page.locator("[data-part=row]")).to_have_count(2)
    page.get_by_label("Filter runs by name or id").fill("no such run anywhere")
    expect(page.get_by_text("No run matches this filter.")).to_be_visible()


def test_the_list_scrolls_to_the_last_run(opened: Opened, postil: Postil, run_id: str) -> None:
    """Scrolling reaches the last of 130 runs, while the document holds only the rows near the window."""
    for n in range(130):
        postil.create_run(f"{run_id}/{n:03}", name=f"long list {n:03}")
    page = opened.at(f"/?q={run_id}&order=oldest")
    expect(row(page, "long list 000")).to_be_visible()
    assert page.locator("[data-part=row]").count() < 80, (
        "the document must contain only the rows near the window"
    )
    page.wait_for_function(
        "scrollTo(0, document.body.scrollHeight) || document.querySelector('main').innerText.includes('long list 129')"
    )


def test_new_runs_do_not_move_a_scrolled_list(opened: Opened, postil: Postil, run_id: str) -> None:
    """While the list is scrolled down, a new run is announced by a button and does not move the rows."""
    for n in range(40):
        postil.create_run(f"{run_id}/{n:03}", name=f"reading {n:03}")
    page = live(opened.at(f"/?q={run_id}"))
    expect(row(page, "reading 039")).to_be_visible()
    page.evaluate("scrollTo(0, 600)")
    page.wait_for_function("scrollY > 500")
    postil.create_run(f"{run_id}/new", name="reading new")
    page.get_by_role("button", name="1 new run").click()
    expect(row(page, "reading new")).to_be_visible()


def test_the_page_resumes_without_a_gap_after_an_outage(
    context: BrowserContext, pipeline: Settings, postil: Postil, run_id: str
) -> None:
    """After the server was down, the page shows every event of the meantime without a reload."""
    page = context.new_page()
    port = None
    with ThreadedDashboard(pipeline) as first:
        assert first.wait_live()
        port = int(first.url.rpartition(":")[2])
        postil.create_run(run_id, name="outlives the server")
        page.goto(f"{first.url}/?q={run_id}")
        live(page)
        expect(row(page, run_id).locator("[data-part=status]")).to_have_text("Running")
    expect(page.locator("[data-part=feed-state]")).to_have_text("Offline")
    expect(page.locator("[data-part=banner]")).to_be_visible()
    postil.annotate(run_id, {"while.away": True})
    postil.finish_run(run_id, failed=True, error={"type": "Gone"})
    with ThreadedDashboard(pipeline.model_copy(update={"http_port": port})) as second:
        assert second.wait_live()
        expect(row(page, run_id).locator("[data-part=status]")).to_have_text("Failed")
        expect(row(page, run_id).locator("[data-part=contents]")).to_contain_text("1 annotation")
        live(page)
        expect(page.locator("[data-part=banner]")).to_have_count(0)


HOSTILE = [
    "<script>document.title='owned'</script>",
    '"><img src=x onerror="document.title=\'owned\'">',
    "<svg onload=alert(1)>",
    "\u202egnp.exe\u2066",
    "javascript:alert(1)//",
    "${alert(1)}{{7*7}}",
    "🏴‍☠️🧑‍🚀",
    "\\u0000\\x00%00",
    "..",
    "A" * 190,
]


def visible(text: str) -> str:
    """Return the text as the page shows it: characters that hide or reorder others appear as their code points."""
    return text.replace("\u202e", "202E").replace("\u2066", "2066")


def assert_harmless(page: Page) -> None:
    """Assert that no hostile text ran, added an element, or made the page wider."""
    assert page.title() != "owned"
    assert page.locator("main script, main img, main svg[onload], main iframe").count() == 0
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_text_is_shown_as_text_on_a_run(opened: Opened, postil: Postil, text: str) -> None:
    """Hostile text in any field of a run is shown as text and has no other effect."""
    postil.create_run(text, name=text, input={text: [text]}, actor=agent(text, version=text))
    postil.start_stage(text, text, stage_id=text)
    postil.annotate(
        text, Decision(outcome=text, rationale=text, alternatives=[text]), {"hostile.key": {text: text}}
    )
    postil.record_tool_call(text, text, arguments={text: text}, result=text)
    postil.ask(text, text, interaction_id=text, to=text)
    page = opened.at(address(text))
    expect(page.get_by_role("heading", level=1)).to_have_text(visible(text))
    for tab in ("Tool calls", "Interactions", "Events"):
        page.get_by_role("tab", name=tab).click()
        expect(page.get_by_role("tab", name=tab)).to_have_attribute("aria-selected", "true")
        page.locator("[role=tabpanel] button[aria-expanded]").evaluate_all(
            "folds => folds.forEach(fold => fold.click())"
        )
    assert_harmless(page)


def test_hostile_text_is_shown_as_text_in_lists(opened: Opened, postil: Postil, run_id: str) -> None:
    """Hostile text in the lists of runs and questions is shown as text and has no other effect."""
    for n, text in enumerate(HOSTILE):
        postil.create_run(f"{run_id}/{n}{text}"[:200], name=text, actor=agent(text))
        postil.ask(f"{run_id}/{n}{text}"[:200], text, interaction_id=text, to=text)
    page = opened.at(f"/?q={run_id}")
    expect(page.locator("[data-part=row]")).to_have_count(len(HOSTILE))
    for text in HOSTILE:
        expect(page.locator("[data-part=row] a").get_by_text(visible(text), exact=True)).to_be_visible()
    assert_harmless(page)
    opened.at("/waiting")
    expect(page.locator("[data-part=waiting]", has_text=run_id)).to_have_count(len(HOSTILE))
    assert_harmless(page)
    for n, text in enumerate(HOSTILE):
        postil.resolve_interaction(f"{run_id}/{n}{text}"[:200], text, {"outcome": "decline"})


def test_the_pipeline_shows_each_part_with_its_figures(opened: Opened) -> None:
    """The pipeline view has a card with figures for each part from Postgres to the page."""
    page = live(opened.at("/pipeline"))
    for part in ("Postgres", "Relay", "Kafka", "Audit log", "This page"):
        expect(page.get_by_role("heading", name=part)).to_be_visible()
    expect(page.locator("main li", has_text="Postgres")).to_contain_text("events recorded")
    expect(page.locator("main li", has_text="Relay")).to_contain_text("64 of 64")


def test_the_theme_survives_a_reload(opened: Opened) -> None:
    """The chosen theme stays after a reload."""
    page = opened.at("/")
    page.get_by_role("button", name=re.compile("^Theme")).click()
    expect(page.locator("html")).to_have_attribute("data-theme", "dark")
    page.reload()
    expect(page.locator("html")).to_have_attribute("data-theme", "dark")


@pytest.mark.parametrize(
    ("scheme", "size"), [("light", (1440, 900)), ("dark", (390, 844))], ids=["light-desktop", "dark-phone"]
)
def test_every_view_is_accessible(
    opened: Opened, postil: Postil, run_id: str, scheme: Any, size: tuple[int, int]
) -> None:
    """No view violates a rule of WCAG 2.2 AA that axe checks, and no view is wider than the window."""
    refund(postil, run_id)
    page: Page = opened.page
    page.set_viewport_size({"width": size[0], "height": size[1]})
    page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
    rules = {"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]}
    for path in (f"/?q={run_id}", address(run_id), f"{address(run_id)}?tab=events", "/waiting", "/pipeline"):
        opened.at(path)
        expect(page.locator("main h1")).to_be_visible()
        expect(page.locator("[aria-busy]")).to_have_count(0)
        results = Axe().run(page, options=rules)
        assert results.violations_count == 0, f"{path}: {results.generate_report()}"
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), path


def test_the_page_requests_no_other_host(opened: Opened, dashboard: ThreadedDashboard) -> None:
    """The page sends requests to its own server only."""
    requests: list[str] = []
    opened.page.on("request", lambda request: requests.append(request.url))
    page = live(opened.at("/"))
    expect(page.locator("header")).to_be_visible()
    assert [url for url in requests if not url.startswith(dashboard.url)] == []


def test_an_empty_database_shows_the_next_commands(
    context: BrowserContext, database_url: str, tmp_path: Path
) -> None:
    """Without runs, the page shows the commands that create some."""
    empty = load_settings(database_url=database_url, data_dir=tmp_path, http_port=0)
    with ThreadedDashboard(empty) as dashboard:
        page = context.new_page()
        page.goto(dashboard.url)
        expect(page.locator("main")).to_contain_text("postil import FILE…")
        expect(page.locator("main")).to_contain_text("postil demo DIR")
        page.goto(f"{dashboard.url}/waiting")
        expect(page.locator("main")).to_contain_text("Nothing waits for you.")
