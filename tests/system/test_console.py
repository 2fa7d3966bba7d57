"""The console in a real browser, against the whole stack: what only a browser shows."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from playwright.sync_api import Browser, Route, expect

from tests.system import browser as browsers
from tests.system.browser import PHONE, Visit, file_of, saved
from tests.system.running_stack import RunningStack, jsonl, request
from tests.unit.template.documents import template

HOSTILE = "<img src=x onerror=alert(1)><script>alert(2)</script> & 'quoted' \u202e"
BAD = b'{"custom_id": "broken", \n'
if browsers.program() is None:
    pytest.skip(f"no browser: install one of {', '.join(browsers.PROGRAMS)}", allow_module_level=True)


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    with browsers.browsing() as found:
        yield found


@pytest.fixture(scope="module")
def ended(stack: RunningStack) -> str:
    """A batch that has ended, for tests that only look."""
    return stack.run("ended.jsonl", rows(2)).batch_id


@pytest.fixture
def visit(chromium: Browser, stack: RunningStack) -> Iterator[Visit]:
    """A person who is signed in."""
    person = Visit(chromium, stack.doors)
    person.sign_in()
    person.heading("Batches")
    yield person
    person.end()


@pytest.fixture
def orders(stack: RunningStack) -> Iterator[Any]:
    """Give the provider orders, which end with the test."""

    def order(**scenario: Any) -> None:
        httpx.post(
            f"{stack.doors['provider_url'].removesuffix('/v1')}/_emulator/scenario", json=scenario
        ).raise_for_status()

    yield order
    order()


def rows(count: int, **body: Any) -> bytes:
    return jsonl({**request(at, **body), "custom_id": f"review-{at:03}"} for at in range(count))


def send(visit: Visit, name: str, data: bytes) -> None:
    """Have a file checked."""
    visit.page.get_by_text("New", exact=True).click()
    visit.heading("New batch")
    visit.page.locator("input[type=file]").set_input_files(file_of(name, data))


def run(visit: Visit) -> str:
    """Run what was checked, and return the id of the batch."""
    visit.page.get_by_role("button", name="Run").click(timeout=30_000)
    expect(visit.page.get_by_role("heading", level=1)).to_have_text(re.compile(r"batch_[0-9a-f]{32}"))
    return str(visit.page.get_by_role("heading", level=1).inner_text())


def tab(visit: Visit, name: str) -> None:
    visit.page.get_by_role("navigation", name="Views of this batch").get_by_role("link", name=name).click()


def test_a_key_that_is_wrong_is_told_so_and_the_right_one_stays_in_the_tab(
    chromium: Browser, stack: RunningStack
) -> None:
    person = Visit(chromium, stack.doors)
    person.sign_in("by_0123456789abcdef_nobody")
    expect(person.page.get_by_role("alert")).to_contain_text("unknown or was revoked")
    person.look("sign-in-refused")
    assert [text for text in person.complaints if "401" not in text] == []
    person.complaints.clear()  # a browser complains of each 401
    person.sign_in()
    person.heading("Batches")
    assert person.page.evaluate("[Object.keys(sessionStorage).length, localStorage.length, document.cookie]") == [
        1,
        0,
        "",
    ]
    person.page.reload()
    person.heading("Batches")
    other = Visit(chromium, stack.doors)
    other.page.goto(stack.doors["console_url"])
    expect(other.page.get_by_label("API key")).to_be_visible()
    other.look("sign-in")
    person.page.get_by_role("button", name="Sign out").click()
    expect(person.page.get_by_label("API key")).to_be_visible()
    other.end()
    person.end()


def test_the_whole_way_from_a_file_to_its_answers(visit: Visit, orders: Any, tmp_path: Path) -> None:
    orders(
        seconds_per_batch=3,
        lines=[{"custom_id": "review-00[25]", "do": {"status": 400, "code": "content_policy_violation"}}],
    )
    page = visit.page
    send(visit, "reviews.jsonl", rows(40, note=HOSTILE) + BAD + rows(1))
    expect(page.get_by_role("heading", name="2 bad lines")).to_be_visible(timeout=30_000)
    expect(page.get_by_text("Line 41", exact=True)).to_be_visible()
    expect(page.get_by_text(re.compile(r"^up to \$"))).to_be_visible()
    expect(page.get_by_text("40 lines will be sent.")).to_be_visible()
    page.get_by_label("Metadata").fill("project: reviews")
    visit.look("new-checked")
    batch_id = run(visit)
    expect(page.get_by_text("Completed", exact=True)).to_be_visible(timeout=30_000)
    expect(page.get_by_text("content_policy_violation")).to_be_visible()
    expect(page.get_by_role("img", name=re.compile("^Progress: 40 of 42"))).to_be_visible()
    visit.look("batch-completed")

    tab(visit, "Lines")
    page.get_by_label("Only errors").check()
    expect(page.locator("details.line")).to_have_count(2)
    page.get_by_label("Only errors").uncheck()
    expect(page.locator("details.line")).to_have_count(20)
    page.get_by_role("button", name="Next", exact=True).click()
    expect(page.locator("details.line").first).to_contain_text("review-020")
    page.get_by_label("custom_id").fill("review-002")
    page.get_by_role("button", name="Go").click()
    expect(page.locator("details.line")).to_have_count(1)
    expect(page.get_by_label("Error", exact=True)).to_contain_text("answered 400 on order")
    expect(page.get_by_label("Request as JSON")).to_contain_text(HOSTILE.split("'", maxsplit=1)[0])
    assert page.locator("main img, main script").count() == 0
    visit.look("batch-lines")

    tab(visit, "Shards")
    page.get_by_text("1 attempt").click()
    expect(page.get_by_text("completed · 38 done · 2 failed")).to_be_visible()
    visit.look("batch-shards")
    tab(visit, "Details")
    expect(page.get_by_text("Metadata: project")).to_be_visible()
    visit.look("batch-details")
    tab(visit, "Overview")
    with page.expect_download() as download:
        page.get_by_role("button", name="Download answers").click()
    assert download.value.suggested_filename == f"{batch_id}_output.jsonl"
    download.value.save_as(tmp_path / "output.jsonl")
    assert len(saved(tmp_path / "output.jsonl")) == 38

    page.get_by_role("button", name="Retry").click()
    page.get_by_role("dialog").get_by_role("button", name="Retry").click()
    expect(page.get_by_role("heading", level=1)).not_to_have_text(batch_id)
    tab(visit, "Details")
    expect(page.get_by_role("link", name=batch_id)).to_be_visible()


def test_a_batch_is_watched_cancelled_and_looked_at_without_a_connection(visit: Visit, orders: Any) -> None:
    orders(seconds_per_batch=20)
    page = visit.page
    send(visit, "slow.jsonl", rows(200))
    run(visit)
    expect(page.get_by_text("Running", exact=True)).to_be_visible(timeout=30_000)
    expect(page.get_by_role("img", name=re.compile("^Progress: "))).to_be_visible(timeout=20_000)
    asked: list[str] = []
    page.on("request", lambda each: asked.append(each.url))
    page.wait_for_timeout(3_000)
    looks = sum(url.rpartition("/")[2].startswith("batch_") for url in asked)
    assert 1 <= looks <= 2, asked  # and not one a second
    visit.context.set_offline(True)
    expect(page.get_by_text("The connection is lost.")).to_be_visible(timeout=20_000)
    visit.look("connection-lost")
    visit.context.set_offline(False)
    expect(page.get_by_text("The connection is lost.")).to_be_hidden(timeout=20_000)
    assert {text for text in visit.complaints if "ERR_INTERNET_DISCONNECTED" not in text} == set()
    visit.complaints.clear()  # a browser complains of each request that it could not send
    page.get_by_role("button", name="Cancel").click()
    visit.look("batch-cancel")
    page.get_by_role("button", name="Cancel the batch").click()
    expect(page.get_by_text("Cancelled", exact=True)).to_be_visible(timeout=30_000)
    visit.look("batch-cancelled")


def test_an_upload_goes_in_parts_and_goes_on_after_the_page_was_loaded_anew(visit: Visit, tmp_path: Path) -> None:
    page, large = visit.page, tmp_path / "large.jsonl"
    large.write_bytes(rows(3, note="x" * 3_000_000))  # 9 MB: two parts
    part = re.compile(r"partNumber=(\d)")
    sent: list[str] = []

    def hold_the_last(route: Route) -> None:  # which a reload ends
        if "partNumber=2" not in route.request.url:
            sent.append(route.request.url)
            route.continue_()

    page.route(part, hold_the_last)
    page.get_by_text("New", exact=True).click()
    page.locator("input[type=file]").set_input_files(large)
    page.wait_for_function("() => JSON.parse(sessionStorage.getItem('batchyard-upload') ?? '{}').done?.length === 1")
    assert len(sent) == 1
    page.reload()
    visit.heading("New batch")
    page.unroute(part)
    expect(page.get_by_text(re.compile("The upload of large.jsonl stopped at 9"))).to_be_visible()
    visit.look("new-goes-on")
    again: list[str] = []
    page.on("request", lambda each: again.append(each.url) if part.search(each.url) else None)
    page.locator("input[type=file]").set_input_files(large)
    expect(page.get_by_text("3 lines will be sent.")).to_be_visible(timeout=40_000)
    assert [part.search(url)[1] for url in again] == ["2"]  # type: ignore[index]  # each has a number


def test_an_address_that_is_over_is_asked_for_anew(visit: Visit) -> None:
    page, refused = visit.page, list[str]()

    def refuse_once(route: Route) -> None:
        if route.request.method == "PUT" and not refused:
            refused.append(route.request.url)
            route.fulfill(status=403, body="<Error><Code>AccessDenied</Code></Error>")
        else:
            route.continue_()

    page.route("**/files/**", refuse_once)
    send(visit, "late.jsonl", rows(2))
    expect(page.get_by_text("2 lines will be sent.")).to_be_visible(timeout=30_000)
    assert len(refused) == 1
    assert [text for text in visit.complaints if "403" not in text] == []
    visit.complaints.clear()  # a browser complains of the 403


def test_a_file_that_cannot_run_says_why(visit: Visit) -> None:
    send(visit, "broken.jsonl", BAD)
    expect(visit.page.get_by_text("could not be read as JSON").first).to_be_visible(timeout=30_000)
    expect(visit.page.get_by_role("button", name="Run")).to_be_disabled()
    visit.look("new-broken")


def test_many_batches_are_shown_by_the_page_and_found_by_id_and_metadata(
    visit: Visit, stack: RunningStack, ended: str
) -> None:
    found = stack.table.get_item(Key={"pk": f"BATCH#{ended}", "sk": "BATCH"})["Item"]
    with stack.table.batch_writer() as writer:
        for at in range(230):
            name = f"batch_{at:032x}"
            created = int(str(found["created_at"])) - 1_000 - at
            changed = {"batch_id": name, "created_at": created, "metadata": {"project": f"corpus-{at}"}}
            writer.put_item({**found, "pk": f"BATCH#{name}", "gsi1sk": f"{created:010}#{name}", **changed})
    page = visit.page
    page.reload()
    expect(page.locator("tbody tr")).to_have_count(50)
    page.get_by_role("button", name="Older").click()
    expect(page.get_by_text("51 to 100")).to_be_visible()
    visit.look("batches")
    page.get_by_label("Search").fill("corpus-217")
    page.get_by_role("button", name="Search").click()
    expect(page.locator("tbody tr")).to_have_count(1)
    visit.look("batches-found")
    page.get_by_label("Search").fill(ended)
    page.get_by_role("button", name="Search").click()
    expect(page.get_by_role("heading", level=1)).to_have_text(ended)
    page.goto(f"{stack.doors['console_url']}#/batches?q=nothing-has-this")
    expect(page.get_by_role("heading", name="Nothing fits")).to_be_visible()
    visit.look("batches-none-fit")


def test_a_search_reaches_the_last_of_ten_thousand_batches_with_a_hundred_requests(
    visit: Visit, stack: RunningStack, ended: str
) -> None:
    """The pages are those of an API that has so many: the engine of one machine is slow with them, and others watch it."""
    shown = httpx.get(
        f"{stack.doors['base_url']}/batches/{ended}", headers={"Authorization": f"Bearer {stack.doors['api_key']}"}
    ).json()
    asked: list[int] = []

    def page_of(route: Route) -> None:
        query = parse_qs(urlsplit(route.request.url).query)
        first, limit = int(query.get("after", ["-1"])[0]) + 1, int(query["limit"][0])
        asked.append(limit)
        data = [
            {**shown, "id": str(at), "metadata": {"project": f"many-{at}"}}
            for at in range(first, min(first + limit, 10_000))
        ]
        last = data[-1]["id"]
        route.fulfill(json={"object": "list", "data": data, "last_id": last, "has_more": int(last) < 9_999})

    page = visit.page
    page.route(re.compile(r"/v1/batches\?"), page_of)
    page.get_by_label("Search").fill("many-9999")
    page.get_by_role("button", name="Search").click()
    expect(page.get_by_text("1 found among 10,000 batches, which are all.")).to_be_visible(timeout=60_000)
    expect(page.locator("tbody tr")).to_have_count(1)
    assert asked.count(100) == 100
    assert visit.heap() < 50_000_000


def test_several_providers_have_a_column_a_filter_and_sums(visit: Visit, stack: RunningStack, ended: str) -> None:
    """What the API answers is that of a stack with two; what has no price is counted beside the sum."""
    page, unpriced = visit.page, {"input_usd": 0.000001, "cached_usd": 0.0, "output_usd": 0.000002, "usd": None}
    asked: list[str | None] = []

    def batch(route: Route) -> None:
        route.fulfill(json={**route.fetch().json(), "providers": ["claude", "openai"]})

    def shards(route: Route) -> None:
        only = parse_qs(urlsplit(route.request.url).query).get("provider", [None])[0]
        asked.append(only)
        found = route.fetch(url=route.request.url.partition("&provider")[0]).json()
        rows = [{**found["data"][0], "shard": at, "provider": name} for at, name in enumerate(("claude", "openai"))]
        found |= {"data": [row for row in rows if only in {None, row["provider"]}], "begun": 2, "shards": 2}
        sums = {**found["models"][0], "cost": {**unpriced, "unpriced_tokens": 1_200}}
        route.fulfill(json={**found, "providers": [{**sums, "provider": name} for name in ("claude", "openai")]})

    page.route(re.compile(rf"/v1/batches/{ended}$"), batch)
    page.route(re.compile(r"/shards\?"), shards)
    page.goto(f"{stack.doors['console_url']}#/batches/{ended}")
    by_provider = page.get_by_role("table", name="Tokens and cost by provider")
    expect(by_provider.get_by_role("cell", name="openai")).to_be_visible()
    expect(by_provider.get_by_role("cell", name="$0.000003 + 1.2K unpriced").first).to_be_visible()
    tab(visit, "Shards")
    expect(page.locator("tbody tr")).to_have_count(2)
    page.get_by_label("Provider").select_option("claude")
    expect(page.locator("tbody tr")).to_have_count(1)
    expect(page.get_by_role("cell", name="claude")).to_be_visible()
    assert asked[-1] == "claude"
    visit.look("batch-shards-of-several")
    page.get_by_label("Provider").select_option("all")
    expect(page.locator("tbody tr")).to_have_count(2)


def test_the_other_pages_show_files_usage_and_webhooks(visit: Visit, ended: str) -> None:
    page = visit.page
    visit.open("Files")
    expect(page.get_by_role("button", name=f"Download {ended}_output.jsonl")).to_be_visible()
    visit.look("files")
    visit.open("Usage")
    expect(page.get_by_role("cell", name="gpt-4.1-mini")).to_be_visible()
    visit.look("usage")
    visit.open("Webhooks")
    page.get_by_label("Name").fill("ci")
    page.get_by_label("Address").fill("https://hooks.example.com/batchyard")
    page.get_by_role("button", name="Add").click()
    expect(page.get_by_role("dialog")).to_contain_text("whsec_")
    visit.look("webhook-secret")
    page.get_by_role("button", name="I have kept it").click()
    page.get_by_role("link", name="ci").click()
    expect(page.get_by_role("heading", name="Deliveries")).to_be_visible()
    visit.look("webhook")
    page.get_by_role("button", name="Delete").click()
    page.get_by_role("button", name="Delete the endpoint").click()
    visit.heading("Webhooks")
    expect(page.get_by_role("link", name="ci")).to_have_count(0)


def test_keys_are_made_shown_once_and_revoked_and_a_key_without_the_right_only_looks(
    visit: Visit, chromium: Browser, stack: RunningStack
) -> None:
    page = visit.page
    visit.open("Keys")
    expect(page.get_by_text("The key you use now")).to_be_visible()
    page.get_by_label("Name").fill("nightly corpus")
    page.get_by_role("button", name="Make a key").click()
    key = page.locator("dialog pre").inner_text()
    assert re.fullmatch(r"by_[0-9a-f]{16}_[0-9a-f]{48}", key)
    visit.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.get_by_role("button", name="Copy").click()
    expect(page.get_by_role("button", name="Copied")).to_be_visible()
    visit.look("key-new")
    page.get_by_role("button", name="I have kept it").click()
    expect(page.locator("dialog")).to_have_count(0)  # it is gone, and not only closed
    assert key not in page.content()
    expect(page.get_by_role("row", name="nightly corpus")).to_contain_text("Good")
    visit.look("keys")

    plain = Visit(chromium, stack.doors)
    plain.sign_in(key)
    plain.heading("Batches")
    plain.open("Keys")
    expect(plain.page.get_by_text("This key may not make or revoke keys.")).to_be_visible()
    expect(plain.page.get_by_role("row", name="nightly corpus")).to_contain_text("The key you use now")
    assert plain.page.get_by_role("button", name=re.compile("Revoke|Make a key")).count() == 0
    plain.look("keys-only-looked-at")
    plain.end()

    page.get_by_role("button", name="Revoke nightly corpus").click()
    visit.look("key-revoke")
    page.get_by_role("dialog").get_by_role("button", name="Go back").click()
    expect(page.get_by_role("row", name="nightly corpus")).to_contain_text("Good")
    page.get_by_role("button", name="Revoke nightly corpus").click()
    page.get_by_role("dialog").get_by_role("button", name="Revoke the key").click()
    expect(page.get_by_role("row", name="nightly corpus")).to_contain_text("Revoked")
    expect(page.get_by_role("button", name="Revoke nightly corpus")).to_have_count(0)
    page.route(re.compile("/v1/api_keys"), lambda route: route.abort())
    page.reload()
    expect(page.get_by_role("alert")).to_contain_text("The connection is lost")
    visit.look("keys-connection-lost")
    page.unroute(re.compile("/v1/api_keys"))
    page.get_by_role("button", name="Try again").click()
    expect(page.get_by_role("row", name="nightly corpus")).to_be_visible()
    assert [text for text in visit.complaints if "ERR_FAILED" not in text] == []
    visit.complaints.clear()  # a browser complains of each request that it could not send


def test_schedules_are_listed_run_looked_at_and_deleted(visit: Visit, stack: RunningStack) -> None:
    page, key = visit.page, "files/default/console-nightly.jsonl"
    stack.clients.s3.put_object(Bucket=stack.doors["bucket"], Key=key, Body=rows(2))
    nightly = scheduled(
        stack, "nightly", {"key": key}, hours="00:00-23:59", overlap="queue", metadata={"team": "support"}
    )
    scheduled(stack, "tickets", {"prefix": "gather/default/console-tickets/"}, min_lines=100, max_wait=172_800)
    visit.open("Schedules")
    row = page.get_by_role("row", name="nightly")
    expect(row).to_contain_text("cron(0 2 * * ? *)")
    expect(row).to_contain_text("Europe/Berlin")
    expect(row).to_contain_text("None yet")
    page.get_by_role("button", name="Run now: nightly").click()
    page.get_by_role("button", name="Run now: tickets").click()
    expect(row.get_by_role("link", name=re.compile("^batch_"))).to_be_visible(timeout=30_000)
    expect(page.get_by_role("row", name="tickets")).to_contain_text(
        "): no new file is in gather/default/console-tickets/"
    )
    expect(page.locator(".toast")).to_have_count(0, timeout=15_000)
    visit.look("schedules")

    page.get_by_role("link", name="nightly", exact=True).click()
    visit.heading("nightly")
    expect(page.get_by_text('{"team":"support"}')).to_be_visible()
    batches = page.get_by_role("region", name="Batches of this schedule")
    expect(batches.get_by_text("Completed")).to_be_visible(timeout=30_000)
    visit.look("schedule")
    batches.get_by_role("link", name=re.compile("^batch_")).click()
    expect(page.get_by_role("heading", level=1)).to_have_text(re.compile("^batch_"))
    visit.look("batch-of-a-schedule")
    page.get_by_role("link", name="nightly", exact=True).click()
    visit.heading("nightly")

    page.set_viewport_size({"width": 390, "height": 844})
    visit.look("phone-schedule")
    page.get_by_role("link", name="Schedules").last.click()
    visit.heading("Schedules")
    visit.look("phone-schedules")
    page.emulate_media(color_scheme="dark")
    visit.look("dark-phone-schedules")
    page.emulate_media(color_scheme="light")
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    page.set_viewport_size({"width": 1280, "height": 800})

    page.get_by_role("button", name="Delete tickets").click()
    page.get_by_role("dialog").get_by_role("button", name="Go back").click()
    expect(page.get_by_role("row", name="tickets")).to_be_visible()
    for name in ("tickets", "nightly"):
        page.get_by_role("button", name=f"Delete {name}").click()
        visit.look("schedule-delete")
        page.get_by_role("dialog").get_by_role("button", name="Delete the schedule").click()
        expect(page.get_by_role("row", name=name)).to_have_count(0)
    expect(page.get_by_text("No schedules yet")).to_be_visible()
    visit.look("schedules-none")
    page.goto(f"{stack.doors['console_url']}#/schedules/{nightly}")
    expect(page.get_by_text("This schedule was deleted")).to_be_visible()
    expect(batches.get_by_text("Completed")).to_be_visible()
    visit.look("schedule-deleted")
    assert [text for text in visit.complaints if "404" not in text] == []
    visit.complaints.clear()  # a browser complains of each 404


def scheduled(stack: RunningStack, name: str, source: dict[str, str], **members: Any) -> str:
    """Make a schedule, which fires at night alone, and return its id."""
    times = {"schedule": "cron(0 2 * * ? *)", "timezone": "Europe/Berlin", "endpoint": "/v1/chat/completions"}
    answer = httpx.post(
        f"{stack.doors['base_url']}/schedules",
        json={"name": name, "input": source, **times, **members},
        headers={"Authorization": f"Bearer {stack.doors['api_key']}"},
        timeout=30,
    )
    assert answer.status_code == 200, answer.text
    return str(answer.json()["id"])


@pytest.mark.parametrize("look", ["dark", "phone"])
def test_each_page_is_sound_in_the_dark_and_on_a_phone(
    chromium: Browser, stack: RunningStack, ended: str, look: str
) -> None:
    options: dict[str, Any] = {"color_scheme": "dark"} if look == "dark" else {"viewport": PHONE, "has_touch": True}
    person = Visit(chromium, stack.doors, **options)
    person.sign_in()
    person.heading("Batches")
    for name in ("", "/lines", "/shards", "/details") if look == "phone" else ("", "/lines"):
        person.page.goto(f"{stack.doors['console_url']}#/batches/{ended}{name}")
        expect(person.page.get_by_role("heading", level=1)).to_have_text(ended)
        expect(person.page.locator(".loading")).to_have_count(0)
        person.look(f"{look}-batch{name.replace('/', '-')}")
    for name in (
        ("new", "batches", "files", "usage", "webhooks", "keys") if look == "phone" else ("new", "usage", "keys")
    ):
        person.page.goto(f"{stack.doors['console_url']}#/{name}")
        expect(person.page.get_by_role("heading", level=1)).to_have_text(re.compile(name, re.IGNORECASE))
        expect(person.page.locator(".loading")).to_have_count(0)
        person.look(f"{look}-{name}")
        assert person.page.evaluate("document.documentElement.scrollWidth <= innerWidth"), (
            f"{name} is wider than the window"
        )
    person.end()


@pytest.mark.parametrize("look", ["light", "dark", "phone"])
def test_the_owner_of_the_stack_sees_the_figures_of_its_dashboard(
    chromium: Browser, stack: RunningStack, ended: str, look: str
) -> None:
    options: dict[str, Any] = {"color_scheme": "dark"} if look == "dark" else {}
    person = Visit(chromium, stack.doors, **({"viewport": PHONE, "has_touch": True} if look == "phone" else options))
    page = person.page
    stack.invoke("SweepFunction", {})
    page.goto(stack.doors["operator_url"])
    person.heading("Operator")
    body, _ = template()["Resources"]["OperatorsDashboard"]["Properties"]["DashboardBody"]["Fn::Sub"]
    titles = [each["properties"]["title"] for each in json.loads(body)["widgets"]]
    expect(page.get_by_role("img", name=re.compile("^Lines a minute, the last "))).to_be_visible()
    cards = {text.partition(" · ")[0] for text in page.get_by_role("heading", level=2).all_inner_texts()}
    idle = {text.partition(" (")[0] for text in page.locator(".idle li").all_inner_texts()}
    assert (cards | idle) - {"Nothing to show of these"} == set(titles)
    calls = page.get_by_role("region", name="Calls to the provider · calls", exact=True)
    expect(calls.get_by_text("create", exact=True)).to_be_visible()
    expect(page.get_by_role("region", name=re.compile("^Dollars an hour")).get_by_text("gpt-4.1-mini")).to_be_visible()
    expect(page.get_by_text("GivenUpAlarm: OK")).to_be_visible()
    assert ended  # a batch has run
    person.look(f"operator-{look}")
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    person.end()


def test_a_page_is_worked_by_the_keyboard_alone(visit: Visit, stack: RunningStack, ended: str) -> None:
    page = visit.page
    page.goto(f"{stack.doors['console_url']}#/batches/{ended}/lines")
    page.reload()  # so that the focus is nowhere
    expect(page.locator("details.line")).to_have_count(2)
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.id") == "skip"
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "main"
    page.locator("details.line summary").first.focus()
    page.keyboard.press("Enter")
    expect(page.get_by_label("Answer as JSON")).to_be_visible()


def test_answers_that_are_many_and_long_take_little_of_the_browser(visit: Visit, orders: Any) -> None:
    orders(answer_bytes=400_000)
    page = visit.page
    send(visit, "long.jsonl", rows(150))  # 60 MB of answers
    run(visit)
    expect(page.get_by_text("Completed", exact=True)).to_be_visible(timeout=40_000)
    tab(visit, "Lines")
    for _ in range(30):
        page.locator("details.line summary").first.click()
        page.get_by_role("button", name="Next", exact=True).click()
        expect(page.locator(".loading")).to_have_count(0)
    assert visit.heap() < 50_000_000
