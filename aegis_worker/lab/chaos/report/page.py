"""The report as one HTML file. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from html import escape
from pathlib import Path

from aegis_worker.lab.crash.report import evidence

from ..judging import Finding
from ..texts import Result
from .plots import PLOTS

_FOLDER = Path(__file__).parent
_MOST_VIOLATIONS = 50


def page(result: Result) -> str:
    """The whole file."""
    facts, verdict = result.facts, result.verdict
    blocks = {
        "style": (_FOLDER / "page.css").read_text(encoding="utf-8"),
        "name": escape(result.experiment.name),
        "tone": "ok" if verdict.holds else "bad",
        "verdict": escape(verdict.in_words),
        "strip": _strip(result),
        "about": escape(result.experiment.about),
        "hypothesis": escape(result.experiment.hypothesis),
        "findings": _findings(result),
        "violations": _violations(result),
        "plots": "".join(
            f'<section class="block"><header><div><h2>{name}</h2><p>{what}</p></div><div class="keys">{keys}</div>'
            f'</header><div class="scroll">{draw(facts)}</div></section>'
            for name, what, keys, draw in PLOTS
        ),
        "injected": _injected(result),
        "again": escape(_again(result)),
        "figures": _figures(result),
    }
    text = (_FOLDER / "page.html").read_text(encoding="utf-8")
    for name, block in blocks.items():
        text = text.replace(f"<!-- {name} -->", block)
    return text


def _strip(result: Result) -> str:
    facts, verdict = result.facts, result.verdict
    kept = sum(one.holds for one in verdict.invariants)
    twice = len({one.payment_id for one in facts.violations if one.invariant == "I1"})
    told = {
        "charged twice": str(twice),
        "invariants": f"{kept} of {len(verdict.invariants)}",
        "injections": f"{len(facts.injected):,}",
        "seed": str(result.seed),
    }
    return "".join(f"<li>{escape(name)} <b>{escape(value)}</b></li>" for name, value in told.items())


def _findings(result: Result) -> str:
    verdict = result.verdict
    groups: Sequence[tuple[str, Sequence[Finding]]] = (
        ("Before anything was broken", verdict.steady),
        ("What the hypothesis demands", verdict.criteria),
        ("What always must hold", verdict.invariants),
    )
    rows = []
    for title, findings in groups:
        if findings:
            rows.append(f'<tr class="group"><th colspan="4" scope="rowgroup">{title}</th></tr>')
        # What does not hold comes first.
        rows += [_finding(one) for one in sorted(findings, key=lambda one: one.holds)]
    return "".join(rows)


def _finding(one: Finding) -> str:
    tone, word, shape = ("ok", "holds", "●") if one.holds else ("bad", "does not hold", "▲")
    return _row(
        (
            f'<span class="state {tone}"><span aria-hidden="true">{shape}</span> {word}</span>',
            escape(one.what),
            f'<span class="num">{escape(one.wanted)}</span>',
            f'<span class="num {tone}">{escape(one.found)}</span>',
        )
    )


def _violations(result: Result) -> str:
    found = result.facts.violations
    if not found:
        return ""
    rows = "".join(
        _row(
            (
                escape(one.invariant),
                f"<code>{escape(one.payment_id or '–')}</code>",
                escape(one.summary),
                f"<code>{escape(evidence(one.evidence)[:600])}</code>",
            )
        )
        for one in found[:_MOST_VIOLATIONS]
    )
    return (
        f'<section class="block bad"><header><h2>What is wrong</h2><p>{len(found)} in all</p></header>'
        '<div class="scroll"><table><thead><tr><th scope="col">Invariant<th scope="col">Payment<th scope="col">What'
        f'<th scope="col">Evidence</tr></thead><tbody>{rows}</tbody></table></div></section>'
    )


def _injected(result: Result) -> str:
    counts = Counter((one.injection, one.kind) for one in result.facts.injected)
    by_id = {one.id: one for one in result.experiment.injections}
    rows = []
    for one in result.experiment.injections:
        where = ", ".join((*one.gateways, *one.operations)) or "anywhere"
        until = min(one.until_s, result.experiment.phases.faults_s)
        rows.append(
            _row(
                (
                    escape(one.id),
                    escape(one.kind),
                    f'<span class="num">{one.from_s:.0f} to {until:.0f} s</span>',
                    f'<span class="num">{one.probability:g}</span>',
                    escape(where),
                    f'<span class="num">{counts[one.id, one.kind.value]:,}</span>',
                )
            )
        )
    rows += [
        _row(
            (escape(one.kind), "done to a process", f'<span class="num">{one.at_s:.1f} s</span>', "", "", "")
        )
        for one in result.facts.struck
    ]
    rows += [
        _row((escape(name), escape(kind), "", "", "", str(count)))
        for (name, kind), count in counts.items()
        if name not in by_id
    ]
    return "".join(rows)


def _figures(result: Result) -> str:
    facts = result.facts
    states = ", ".join(f"{state} {count:,}" for state, count in facts.by_state.items())
    rested = f"{facts.rested_after_s:g} s after the load" if facts.came_to_rest else "it did not"
    phases = facts.phases
    told = {
        "payments": states or "none",
        "attempts marked as injected": f"{facts.marked_attempts:,}",
        "breakers opened": str(facts.openings),
        "wait for a person": str(facts.reviews),
        "came to rest": rested,
        "phases": f"{phases.steady_s:.0f} s steady, {phases.faults_s:.0f} s broken, {phases.recovery_s:.0f} s healed",
        "load": f"{result.experiment.traffic.payments_per_s:g} payments a second, {result.experiment.traffic.kind}",
    }
    return "".join(
        f"<div><dt>{escape(name)}</dt><dd>{escape(value)}</dd></div>" for name, value in told.items()
    )


def _again(result: Result) -> str:
    minutes = result.experiment.phases.whole_s / 60
    return f"aegis chaos run {result.experiment.name} --seed {result.seed} --minutes {minutes:.3g}"


def _row(cells: Iterable[str]) -> str:
    return f"<tr>{''.join(f'<td>{cell}</td>' for cell in cells)}</tr>"
