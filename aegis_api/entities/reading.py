"""The three routes that show entities: one of them, those of a payment, and all of the owner's. The same for every kind."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from flask import Response, g
from marshmallow import Schema

from aegis_api.http.answers import answer
from aegis_api.http.openapi import Blueprint, headers, refuses
from aegis_api.http.parts import parts
from aegis_api.http.requests import NOTHING_HERE, id_parameter, known_form
from aegis_worker.errors import NotFound
from aegis_worker.ids import PAYMENT
from aegis_worker.queries import payments
from aegis_worker.queries.entities import EntityFilters, Shelf, get_one, list_some
from aegis_worker.views.pages import list_body

T = TypeVar("T")
View = TypeVar("View", bound=Callable[..., Any])


@dataclass(frozen=True, slots=True)
class Readable(Generic[T]):
    """One kind of entity. `noun`: as it stands in paths, with an s for several; `called`: what people call one.

    `about_one` and `about_list`: what the document says of the routes beside their summary.
    """

    noun: str
    called: str
    shelf: Shelf[T]
    body: Callable[[T], dict[str, Any]]
    shown: Schema
    page: Schema
    page_query: Schema
    list_query: Schema
    example: Mapping[str, Any]
    about_one: str
    about_list: str


def add_routes(blueprint: Blueprint, kind: Readable[Any]) -> None:
    """Add the routes of one kind."""
    _add_one(blueprint, kind)
    _add_of_payment(blueprint, kind)
    _add_all(blueprint, kind)


def _add_one(blueprint: Blueprint, kind: Readable[Any]) -> None:
    name, prefix = f"{kind.noun}_id", kind.shelf.prefix
    described = [id_parameter(name, prefix, f"A {kind.called}.")]

    @blueprint.route(f"/{kind.noun}s/<{name}>", parameters=described)
    @refuses("not_found")
    @blueprint.response(200, kind.shown, example=kind.example, headers=headers())
    @_named(f"get_{kind.noun}", f"Look at a {kind.called}\n\n{kind.about_one}")
    def get(**path: str) -> Response:
        entity_id = known_form(path[name], prefix)
        with parts().web.database.read() as connection:
            stored = get_one(connection, kind.shelf, g.owner, entity_id)
        if stored is None:
            raise NotFound(NOTHING_HERE)
        return answer(kind.body(stored))


def _add_of_payment(blueprint: Blueprint, kind: Readable[Any]) -> None:
    described = [id_parameter("payment_id", PAYMENT, "A payment.")]

    @blueprint.route(f"/payments/<payment_id>/{kind.noun}s", parameters=described)
    @refuses("not_found", "validation_failed")
    @blueprint.arguments(kind.page_query, location="query")
    @blueprint.response(200, kind.page, example=list_body([kind.example], None), headers=headers())
    @_named(
        f"list_{kind.noun}s_of_payment", f"List a payment's {kind.called}s, newest first\n\n{kind.about_list}"
    )
    def list_of_payment(query: dict[str, Any], payment_id: str) -> Response:
        payment_id = known_form(payment_id, PAYMENT)
        with parts().web.database.read() as connection:
            if payments.get_state(connection, g.owner, payment_id) is None:
                raise NotFound(NOTHING_HERE)
            page = list_some(connection, kind.shelf, g.owner, EntityFilters(payment_id=payment_id), **query)
        return answer(list_body([kind.body(stored) for stored in page.rows], page.next_cursor))


def _add_all(blueprint: Blueprint, kind: Readable[Any]) -> None:
    @blueprint.route(f"/{kind.noun}s")
    @refuses("validation_failed")
    @blueprint.arguments(kind.list_query, location="query")
    @blueprint.response(200, kind.page, example=list_body([kind.example], None), headers=headers())
    @_named(f"list_{kind.noun}s", f"List {kind.called}s of all payments, newest first\n\n{kind.about_list}")
    def list_all(query: dict[str, Any]) -> Response:
        limit, starting_after = query.pop("limit"), query.pop("starting_after", None)
        with parts().web.database.read() as connection:
            page = list_some(
                connection,
                kind.shelf,
                g.owner,
                EntityFilters(**query),
                limit=limit,
                starting_after=starting_after,
            )
        return answer(list_body([kind.body(stored) for stored in page.rows], page.next_cursor))


def _named(name: str, documentation: str) -> Callable[[View], View]:
    """Gives a view the name and the text that its operation has in the document."""

    def named(view: View) -> View:
        view.__name__, view.__doc__ = name, documentation
        return view

    return named
