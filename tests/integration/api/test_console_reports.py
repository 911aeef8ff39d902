"""Stored reports at the console: what lies in their folder is shown, and none of it is trusted."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from support.api_client import Api, start_api
from support.console import Browser, signed_in

from aegis_api.console.report_files import LARGEST
from aegis_worker.console_settings import ConsoleSettings

MARKUP = "<script>alert(1)</script><img src=x onerror=alert(2)>\u202e\0"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "reports"
    made.mkdir()
    return made


@pytest.fixture
def viewer(database_url: str, folder: Path) -> Browser:
    return signed_in(console(database_url, folder), "viewer")


def console(database_url: str, folder: Path | None) -> Api:
    return start_api(database_url, console=ConsoleSettings("", (), None, folder))


def test_a_page_is_shown_in_a_frame_that_runs_nothing(viewer: Browser, folder: Path) -> None:
    assert "No report yet." in viewer.get("/console/reports").text
    (folder / "timeout.html").write_text(f"<!doctype html><h1>held</h1>{MARKUP}")
    assert 'href="/console/reports/timeout.html"' in viewer.get("/console/reports").text
    page = viewer.get("/console/reports/timeout.html")
    assert '<iframe class="report" sandbox title=' in page.text
    assert "alert" not in page.text
    assert "unsafe" not in page.headers["Content-Security-Policy"]
    framed = viewer.get("/console/reports/timeout.html/content")
    policy = framed.headers["Content-Security-Policy"]
    assert "; sandbox;" in policy, "also where somebody opens it by itself"
    assert "script-src" not in policy
    assert "default-src 'none'" in policy
    assert (framed.headers["X-Frame-Options"], framed.headers["Cache-Control"]) == ("SAMEORIGIN", "no-store")
    assert viewer.get("/console/reports").headers["X-Frame-Options"] == "DENY"


def test_figures_are_shown_as_text(viewer: Browser, folder: Path) -> None:
    found = {"configuration": MARKUP, "faults": 2, "states": 7, "complete": True, "found": [{}, {}]}
    (folder / "explored.json").write_text(json.dumps({"explored": [{**found, "found": []}, found, "odd"]}))
    page = viewer.get("/console/reports/explored.json").text
    assert "<script>alert" not in page
    assert 0 < page.index('<td class="num">2</td></tr>') < page.index('<td class="num">0</td></tr>')
    (folder / "chaos.json").write_text(json.dumps({"verdict": MARKUP, "experiment": ["odd"], "seed": 7}))
    page = viewer.get("/console/reports/chaos.json").text
    assert "&lt;script&gt;alert(1)" in page
    assert "<dt>Seed</dt>" in page
    kept = viewer.get("/console/reports/chaos.json/content")
    assert kept.headers["Content-Disposition"] == 'attachment; filename="chaos.json"'


@pytest.mark.parametrize(
    "content", [b"", b"\xff\xfe\0", b"[" * 100_000, b'{"explored": {"a": 1}}', b'{"seed": NaN}', b"1" * 5000]
)
def test_what_is_no_json_of_ours_is_text_all_the_same(viewer: Browser, folder: Path, content: bytes) -> None:
    (folder / "odd.json").write_bytes(content)
    answer = viewer.get("/console/reports/odd.json")
    assert (answer.status_code, "\0" in answer.text) == (200, False)


def test_nothing_but_reports_is_read(viewer: Browser, folder: Path) -> None:
    secret = folder.parent / "secret.json"
    secret.write_text('{"seed": "canary"}')
    (folder / "link.json").symlink_to(secret)
    (folder / "folder.json").mkdir()
    (folder / ".hidden.json").write_text("{}")
    (folder / "key.pem").write_text("{}")
    os.mkfifo(folder / "pipe.json")
    with (folder / "huge.json").open("wb") as file:
        file.truncate(LARGEST + 1)
    listed = viewer.get("/console/reports").text
    for name in (
        "link.json",
        "folder.json",
        ".hidden.json",
        "key.pem",
        "pipe.json",
        "huge.json",
        "..%2Fsecret.json",
    ):
        assert viewer.get(f"/console/reports/{name}").status_code == 404, name
        assert viewer.get(f"/console/reports/{name}/content").status_code == 404, name
        assert f"reports/{name}" not in listed or name == "huge.json", name


def test_it_is_said_why_there_are_no_reports(database_url: str, folder: Path) -> None:
    elsewhere = signed_in(console(database_url, folder / "gone"), "viewer")
    assert "The folder can’t be read: No such file" in elsewhere.get("/console/reports").text
    nowhere = signed_in(console(database_url, None), "viewer", "vic")
    assert "No folder is named." in nowhere.get("/console/reports").text
    assert nowhere.get("/console/reports/a.json").status_code == 404
    stranger = Browser(console(database_url, folder).app.test_client())
    (folder / "a.html").write_text("held")
    for path in ("", "/a.html", "/a.html/content"):
        assert stranger.get(f"/console/reports{path}").status_code == 303, path
