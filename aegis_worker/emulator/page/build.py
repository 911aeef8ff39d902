"""The page as HTML, made here, so that it shows everything without its script."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from html import escape
from pathlib import Path
from typing import Any

from ..books import Books
from ..recording import Delivery, Exchange, Recorder
from ..replies import Reply
from ..witness import newest

_FOLDER = Path(__file__).parent
_ASSETS = {"page.css": "text/css; charset=utf-8", "page.js": "text/javascript; charset=utf-8"}
_MOST_SHOWN = 100
# Nothing from elsewhere, nothing written in the page itself, and nobody may frame it.
_POLICY = (
    "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; form-action 'self';"
    " base-uri 'none'; frame-ancestors 'none'"
)
HEADERS = {
    "Content-Security-Policy": _POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}


def asset(name: str) -> Reply | None:
    """The page's style or script; None for any other name."""
    if name not in _ASSETS:
        return None
    return Reply(200, (_FOLDER / name).read_bytes(), {**HEADERS, "Content-Type": _ASSETS[name]})


def page(books: Books, recorder: Recorder | None) -> Reply:
    """The page of one gateway."""
    exchanges = recorder.exchanges()[:_MOST_SHOWN] if recorder else []
    deliveries = recorder.deliveries()[:_MOST_SHOWN] if recorder else []
    text = (_FOLDER / "page.html").read_text(encoding="utf-8")
    blocks = {
        "title": escape(_title(books.options.name, books.reach.wire)),
        "url": escape(books.options.base_url),
        "state": _state(books),
        "kept": "" if recorder else "<p>Requests and webhooks are not kept here.</p>",
        "exchanges": _list([_exchange(one) for one in exchanges], "No request so far."),
        "deliveries": _list([_delivery(one) for one in deliveries], _no_webhook(books)),
        "ledger": _ledger(newest(books, _MOST_SHOWN)),
    }
    for name, block in blocks.items():
        text = text.replace(f"<!-- {name} -->", block)
    return Reply(200, text.encode(), {**HEADERS, "Content-Type": "text/html; charset=utf-8"})


def _title(name: str, wire: str) -> str:
    return name if name == wire else f"{name} ({wire})"


def _no_webhook(books: Books) -> str:
    return "No webhook so far." if books.options.sends_webhooks else "None are sent: no address was given."


def _state(books: Books) -> str:
    running = books.conduct.choice.running
    faults = {
        name: value for name, value in books.faults.as_dict().items() if value != books.faults.usual[name]
    }
    scenario = escape(running.scenario.name or "without a name") if running else "none"
    return (
        f"<dl><dt>Scenario</dt><dd>{scenario}</dd>"
        f"<dt>Faults</dt><dd>{escape(json.dumps(faults)) if faults else 'none'}</dd></dl>"
    )


def _list(items: Sequence[str], empty: str) -> str:
    return f"<ol>{''.join(items)}</ol>" if items else f"<p>{escape(empty)}</p>"


def _exchange(one: Exchange) -> str:
    status = str(one.status) if one.status else one.wire
    marks = [one.script] if one.script else []
    marks += [f"repeats {one.repeats}"] if one.repeats else []
    summary = _summary(one.number, one.at, f"{one.method} {one.target}", status, marks)
    button = _button(f"exchanges/{one.number}/replay", "Send again") if one.is_whole else ""
    return (
        f"<li><details>{summary}<div>{one.took_ms} ms {button}</div>"
        f"<h3>Request</h3>{_text(one.headers, one.body)}"
        f"<h3>Answer</h3>{_text(one.answer_headers, one.answer)}</details></li>"
    )


def _delivery(one: Delivery) -> str:
    status = "not sent" if one.status is None else str(one.status) if one.status else "no answer"
    marks = [one.script] if one.script else []
    marks += [f"try {one.tries + 1}"] if one.tries else []
    summary = _summary(one.number, one.at, one.event_id, status, marks)
    button = _button(f"deliveries/{one.number}/replay", "Send again")
    return f"<li><details>{summary}<div>{button}</div>{_text(one.headers, one.body)}</details></li>"


def _summary(number: int, at: float, what: str, status: str, marks: Sequence[str]) -> str:
    time = datetime.fromtimestamp(at, UTC).strftime("%H:%M:%S")
    is_good = status.startswith(("2", "3"))
    shown = "".join(f" <mark>{escape(mark)}</mark>" for mark in marks)
    return (
        f'<summary><span class="number">{number}</span> <time>{time}</time> <code>{escape(what)}</code>'
        f' <b class="{"good" if is_good else "bad"}">{escape(status)}</b>{shown}</summary>'
    )


def _text(headers: Mapping[str, str], body: str) -> str:
    lines = "\n".join(f"{name}: {value}" for name, value in headers.items())
    return f"<pre>{escape(lines)}\n\n{escape(_readable(body))}</pre>"


def _readable(body: str) -> str:
    try:
        return json.dumps(json.loads(body), indent=2, ensure_ascii=False)
    except ValueError:
        return body


def _button(path: str, label: str) -> str:
    return f'<form method="post" action="/_sandbox/{path}"><button>{escape(label)}</button></form>'


def _ledger(rows: Sequence[Mapping[str, Any]]) -> str:
    if not rows:
        return "<p>No payment so far.</p>"
    names = ("reference", "status", "amount", "currency", "captured", "refunded", "payment_id")
    head = "".join(f"<th>{name.replace('_', ' ')}</th>" for name in names)
    body = "".join(
        "<tr>" + "".join(f"<td>{escape(str(row[name]))}</td>" for name in names) + "</tr>" for row in rows
    )
    return f'<div class="wide"><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>'
