"""The report of a run is one file that needs nothing else, and says first what people want to know."""

from __future__ import annotations

import re
from html.parser import HTMLParser

from support.chaos_runs import an_experiment, facts_of_a_run

from aegis_worker.audit.violations import Violation
from aegis_worker.lab.chaos.facts import Facts
from aegis_worker.lab.chaos.judging import judged
from aegis_worker.lab.chaos.report.page import page
from aegis_worker.lab.chaos.texts import Result, result_as_json


class Outline(HTMLParser):
    """The headings of a page, and what it fetches."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.headings: list[str] = []
        self.fetched: list[str] = []
        self.plots = 0
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.open.append(tag)
        self.plots += tag == "svg"
        self.fetched += [str(value) for name, value in attrs if name in ("src", "href", "srcset") and value]

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] in ("h1", "h2") and data.strip():
            self.headings.append(data)


def report(facts: Facts, **changes: object) -> str:
    experiment = an_experiment(**changes)
    return page(Result(experiment, 7, facts, judged(experiment, facts)))


def test_it_needs_nothing_else_and_runs_nothing() -> None:
    html = report(facts_of_a_run())
    assert Outline(html).fetched == []
    assert re.findall(r"<script|<link|@import|url\(|https?:", html) == []


def test_findings_come_before_plots_and_the_verdict_before_all() -> None:
    html = report(facts_of_a_run())
    outline = Outline(html)
    assert outline.headings[:2] == ["a_bad_day", "Findings"]
    assert outline.plots == 5
    assert html.index("The hypothesis held.") < html.index("<main>")
    assert "<!-- " not in html


def test_what_does_not_hold_is_told_first_with_its_evidence() -> None:
    wrong = Violation("I1", "pay_1", "charged more than once", {"charges": ["sandbox_a: 1999 USD"]})
    html = report(facts_of_a_run(violations=[wrong]))
    assert "An invariant is broken: I1." in html
    assert "sandbox_a: 1999 USD" in html
    of_invariants = html[html.index("What always must hold") :]
    assert of_invariants.index("does not hold") < of_invariants.index("holds</span>")


def test_names_and_texts_of_the_experiment_are_shown_and_not_obeyed() -> None:
    html = report(facts_of_a_run(), hypothesis="<script>alert(1)</script>", about="a & b")
    assert "&lt;script&gt;" in html
    assert "a &amp; b" in html


def test_a_run_in_which_nothing_happened_is_drawn_all_the_same() -> None:
    empty = facts_of_a_run(paid=[], injected=[], samples=[], struck=[], by_state={})
    assert Outline(report(empty)).plots == 5


def test_the_figures_are_there_as_json_too() -> None:
    facts = facts_of_a_run()
    experiment = an_experiment()
    told = result_as_json(Result(experiment, 7, facts, judged(experiment, facts)))
    assert (told["held"], told["seed"], told["payments"]) == (True, 7, 240)
    assert told["injections"] == [{"injection": "slow-bank", "kind": "timeout", "struck": 46}]
    assert sum(told["by_second"]["accepted"]) == 240
