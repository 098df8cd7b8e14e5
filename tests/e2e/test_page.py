"""What a person sees and does: runs appear, open, explain themselves, ask, and are answered."""

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

# One worker of xdist runs them all: they share one pipeline and one browser.
pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser")]

Opened = Any  # the fixture of conftest.py, which cannot be imported from


def address(identifier: str) -> str:
    return f"/runs/{to_segment(identifier)}"


def row(page: Page, name: str) -> Any:
    return page.locator(".row", has_text=name)


def live(page: Page) -> Page:
    expect(page.locator(".feed-mark")).to_have_text("Live")
    return page


def refund(postil: Postil, run_id: str, name: str = "refund-request") -> None:
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


def test_runs_appear_and_change_in_place_while_they_happen(
    opened: Opened, postil: Postil, run_id: str
) -> None:
    page = live(opened.at("/"))
    postil.create_run(run_id, name="appears by itself")
    mine = row(page, run_id)
    expect(mine.locator(".status")).to_have_text("Running")
    mine.evaluate("row => { window.kept = row }")
    postil.start_stage(run_id, "One", stage_id="one")
    postil.annotate(run_id, {"x.y": 1})
    expect(mine.locator(".c-contents")).to_have_text(re.compile("1 stage.*1 annotation"))
    postil.complete_stage(run_id, "one")
    postil.finish_run(run_id, result={"ok": True})
    expect(mine.locator(".status")).to_have_text("Completed")
    assert mine.evaluate("row => row === window.kept"), "the row was patched, not made anew"


def test_a_run_tells_why_and_by_whom(opened: Opened, postil: Postil, run_id: str) -> None:
    refund(postil, run_id)
    page = opened.at(address(run_id))
    expect(page.get_by_role("heading", level=1)).to_have_text("refund-request")
    note = page.locator(".note-decision")
    expect(note).to_contain_text("refund")
    expect(note).to_contain_text("It was charged twice.")
    expect(note).to_contain_text("93 %")
    expect(note).to_contain_text("agent triage 2.1")
    expect(page.locator(".lane")).to_contain_text("Triage")
    page.get_by_role("tab", name="Tool calls").click()
    expect(page).to_have_url(re.compile(r"\?tab=tool-calls$"))
    page.get_by_role("button", name="orders.lookup").click()
    expect(page.locator(".fold-body")).to_contain_text('"charges": 2')
    page.get_by_role("tab", name="Events").click()
    page.get_by_role("button", name=re.compile("^Event 1: run:created")).click()
    page.get_by_role("button", name="Show the envelope").click()
    expect(page.get_by_role("region", name="Envelope")).to_contain_text('{"specversion":"1.0"')
    page.go_back()
    expect(page.get_by_role("tab", name="Tool calls")).to_have_attribute("aria-selected", "true")


def test_an_approval_is_answered_on_the_runs_page_and_shown_to_everybody(
    opened: Opened, context: BrowserContext, postil: Postil, run_id: str
) -> None:
    refund(postil, run_id)
    page = live(opened.at(address(run_id)))
    other = context.new_page()
    other.goto(opened.url + address(run_id))
    live(other)
    page.get_by_label("Note (optional)").fill("Checked the statement.")
    page.get_by_label("Who answers").fill("ada")
    page.get_by_role("button", name="Accept").click()
    for seen in (page, other):
        expect(seen.locator(".note-approval")).to_contain_text("accepted")
        expect(seen.locator(".note-approval")).to_contain_text("Checked the statement.")
        expect(seen.locator(".note-approval")).to_contain_text("by ada")
        expect(seen.locator(".run-title .status")).to_have_text("Running")


def test_what_waits_is_listed_and_answered_in_place(opened: Opened, postil: Postil, run_id: str) -> None:
    page = live(opened.at("/waiting"))
    refund(postil, run_id)
    mine = page.locator(".waiting-list > li", has_text=run_id)
    expect(mine.locator(".prompt")).to_have_text("Refund 42 EUR?")
    mine.get_by_role("button", name="Decline").click()
    expect(mine.locator(".outcome")).to_contain_text("Declined")
    expect(mine.get_by_role("button", name="Decline")).to_have_count(0)
    page.reload()
    expect(page.get_by_role("heading", name="Waiting for a person")).to_be_visible()
    expect(page.locator(".waiting-list > li", has_text=run_id)).to_have_count(0)


def test_a_second_answer_is_told_that_the_first_stands(opened: Opened, postil: Postil, run_id: str) -> None:
    refund(postil, run_id)
    page = opened.at("/waiting")
    mine = page.locator(".waiting-list > li", has_text=run_id)
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


def test_a_question_that_the_list_dropped_first_still_says_how_it_ended(
    opened: Opened, postil: Postil, run_id: str
) -> None:
    """The list may be read after an answer was committed and before the feed brings it."""
    refund(postil, run_id)
    page = live(opened.at("/waiting"))
    mine = page.locator(".waiting-list > li", has_text=run_id)
    expect(mine.get_by_role("button", name="Accept")).to_be_visible()
    page.route("**/api/waiting*", lambda route: route.fulfill(json={"items": [], "next": None}))
    with page.expect_response("**/api/waiting*"):
        refund(postil, f"{run_id}/another")  # whose question has the list read again

    postil.resolve_interaction(run_id, "approval", {"outcome": "decline"})

    expect(mine.locator(".outcome")).to_contain_text("Declined")


def test_the_keyboard_does_everything(opened: Opened, postil: Postil, run_id: str) -> None:
    for n in range(3):
        postil.create_run(f"{run_id}/{n}", name=f"keyboard {n}")
    page = live(opened.at("/"))
    page.keyboard.press("/")
    page.keyboard.type(run_id)
    expect(page.locator(".row")).to_have_count(3)
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
    expect(page.locator(".row")).to_have_count(3)
    page.keyboard.press("?")
    expect(page.get_by_role("dialog")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_be_hidden()
    page.keyboard.press("g")
    page.keyboard.press("p")
    expect(page.get_by_role("heading", level=1)).to_have_text("Pipeline")


def test_the_filter_is_in_the_url(opened: Opened, postil: Postil, run_id: str) -> None:
    postil.create_run(f"{run_id}/running", name="a")
    postil.create_run(f"{run_id}/pending", name="b", pending=True)
    page = opened.at(f"/?q={run_id}")
    expect(page.locator(".row")).to_have_count(2)
    page.get_by_role("button", name=re.compile("^Pending")).click()
    expect(page.locator(".row")).to_have_count(1)
    expect(page).to_have_url(re.compile(r"status=pending"))
    page.reload()
    expect(page.get_by_role("button", name=re.compile("^Pending"))).to_have_attribute("aria-pressed", "true")
    expect(page.locator(".row")).to_have_count(1)
    page.go_back()
    expect(page.locator(".row")).to_have_count(2)
    page.get_by_label("Filter runs by name or id").fill("no such run anywhere")
    expect(page.get_by_text("No run matches this filter.")).to_be_visible()


def test_the_list_goes_on_as_far_as_there_are_runs(opened: Opened, postil: Postil, run_id: str) -> None:
    for n in range(130):
        postil.create_run(f"{run_id}/{n:03}", name=f"long list {n:03}")
    page = opened.at(f"/?q={run_id}&order=oldest")
    expect(row(page, "long list 000")).to_be_visible()
    assert page.locator(".row").count() < 80, "only what is near the window is in the document"
    page.wait_for_function(
        "scrollTo(0, document.body.scrollHeight) || document.querySelector('main').innerText.includes('long list 129')"
    )


def test_new_runs_wait_above_while_somebody_reads_further_down(
    opened: Opened, postil: Postil, run_id: str
) -> None:
    for n in range(40):
        postil.create_run(f"{run_id}/{n:03}", name=f"reading {n:03}")
    page = live(opened.at(f"/?q={run_id}"))
    expect(row(page, "reading 039")).to_be_visible()
    page.evaluate("scrollTo(0, 600)")
    page.wait_for_function("scrollY > 500")
    postil.create_run(f"{run_id}/new", name="reading new")
    page.get_by_role("button", name="1 new run").click()
    expect(row(page, "reading new")).to_be_visible()


def test_the_page_resumes_without_a_gap_after_the_server_was_away(
    context: BrowserContext, pipeline: Settings, postil: Postil, run_id: str
) -> None:
    page = context.new_page()
    port = None
    with ThreadedDashboard(pipeline) as before:
        assert before.wait_live()
        port = int(before.url.rpartition(":")[2])
        postil.create_run(run_id, name="outlives the server")
        page.goto(f"{before.url}/?q={run_id}")
        live(page)
        expect(row(page, run_id).locator(".status")).to_have_text("Running")
    expect(page.locator(".feed-mark")).to_have_text("Offline")
    expect(page.locator(".banner")).to_be_visible()
    postil.annotate(run_id, {"while.away": True})
    postil.finish_run(run_id, failed=True, error={"type": "Gone"})
    with ThreadedDashboard(pipeline.model_copy(update={"http_port": port})) as after:
        assert after.wait_live()
        expect(row(page, run_id).locator(".status")).to_have_text("Failed")
        expect(row(page, run_id).locator(".c-contents")).to_contain_text("1 annotation")
        live(page)
        expect(page.locator(".banner")).to_have_count(0)


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


def visible(evil: str) -> str:
    """How the page shows it: characters that would hide or reorder others appear by their number."""
    return evil.replace("\u202e", "202E").replace("\u2066", "2066")


def harmless(page: Page) -> None:
    assert page.title() != "owned"
    assert page.locator("main script, main img, main svg[onload], main iframe").count() == 0
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


@pytest.mark.parametrize("evil", HOSTILE)
def test_what_others_wrote_is_text_and_nothing_else(opened: Opened, postil: Postil, evil: str) -> None:
    postil.create_run(evil, name=evil, input={evil: [evil]}, actor=agent(evil, version=evil))
    postil.start_stage(evil, evil, stage_id=evil)
    postil.annotate(
        evil, Decision(outcome=evil, rationale=evil, alternatives=[evil]), {"evil.key": {evil: evil}}
    )
    postil.record_tool_call(evil, evil, arguments={evil: evil}, result=evil)
    postil.ask(evil, evil, interaction_id=evil, to=evil)
    page = opened.at(address(evil))
    expect(page.get_by_role("heading", level=1)).to_have_text(visible(evil))
    for tab in ("Tool calls", "Interactions", "Events"):
        page.get_by_role("tab", name=tab).click()
        expect(page.get_by_role("tab", name=tab)).to_have_attribute("aria-selected", "true")
        page.locator(".fold-line").evaluate_all("folds => folds.forEach(fold => fold.click())")
    harmless(page)


def test_what_others_wrote_is_text_in_lists_too(opened: Opened, postil: Postil, run_id: str) -> None:
    for n, evil in enumerate(HOSTILE):
        postil.create_run(f"{run_id}/{n}{evil}"[:200], name=evil, actor=agent(evil))
        postil.ask(f"{run_id}/{n}{evil}"[:200], evil, interaction_id=evil, to=evil)
    page = opened.at(f"/?q={run_id}")
    expect(page.locator(".row")).to_have_count(len(HOSTILE))
    for evil in HOSTILE:
        expect(page.locator(".row-link").get_by_text(visible(evil), exact=True)).to_be_visible()
    harmless(page)
    opened.at("/waiting")
    expect(page.locator(".waiting-list > li", has_text=run_id)).to_have_count(len(HOSTILE))
    harmless(page)
    for n, evil in enumerate(HOSTILE):
        postil.resolve_interaction(f"{run_id}/{n}{evil}"[:200], evil, {"outcome": "decline"})


def test_the_pipeline_is_shown_part_by_part(opened: Opened) -> None:
    page = live(opened.at("/pipeline"))
    for part in ("Postgres", "Relay", "Kafka", "Audit log", "This page"):
        expect(page.get_by_role("heading", name=part)).to_be_visible()
    expect(page.locator(".part", has_text="Postgres")).to_contain_text("events recorded")
    expect(page.locator(".part", has_text="Relay")).to_contain_text("64 of 64")


def test_the_theme_can_be_chosen_and_is_kept(opened: Opened) -> None:
    page = opened.at("/")
    page.get_by_role("button", name=re.compile("^Theme")).click()
    expect(page.locator("html")).to_have_attribute("data-theme", "dark")
    page.reload()
    expect(page.locator("html")).to_have_attribute("data-theme", "dark")


@pytest.mark.parametrize(
    ("scheme", "size"), [("light", (1440, 900)), ("dark", (390, 844))], ids=["light-desktop", "dark-phone"]
)
def test_everybody_can_use_every_view(
    opened: Opened, postil: Postil, run_id: str, scheme: Any, size: tuple[int, int]
) -> None:
    """No violation of WCAG 2.2 AA that a machine can find, and nothing that hangs over the edge."""
    refund(postil, run_id)
    page: Page = opened.page
    page.set_viewport_size({"width": size[0], "height": size[1]})
    page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
    rules = {"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]}
    for path in (f"/?q={run_id}", address(run_id), f"{address(run_id)}?tab=events", "/waiting", "/pipeline"):
        opened.at(path)
        expect(page.locator(".view:not([aria-busy])")).to_be_visible()
        expect(page.locator("[aria-busy]")).to_have_count(0)
        found = Axe().run(page, options=rules)
        assert found.violations_count == 0, f"{path}: {found.generate_report()}"
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), path


def test_nothing_is_asked_of_any_other_host(opened: Opened, dashboard: ThreadedDashboard) -> None:
    asked: list[str] = []
    opened.page.on("request", lambda request: asked.append(request.url))
    page = live(opened.at("/"))
    expect(page.locator(".bar")).to_be_visible()
    assert [url for url in asked if not url.startswith(dashboard.url)] == []


def test_an_empty_database_says_what_to_do(
    context: BrowserContext, database_url: str, tmp_path: Path
) -> None:
    empty = load_settings(database_url=database_url, data_dir=tmp_path, http_port=0)
    with ThreadedDashboard(empty) as dashboard:
        page = context.new_page()
        page.goto(dashboard.url)
        expect(page.locator(".empty")).to_contain_text("postil import FILE…")
        expect(page.locator(".empty")).to_contain_text("postil demo DIR")
        page.goto(f"{dashboard.url}/waiting")
        expect(page.locator(".empty")).to_contain_text("Nothing waits for you.")
