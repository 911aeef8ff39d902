"""The routes that every configuration in versions has: read it, change it, and list its changes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Generic, NamedTuple, TypeVar

from flask import Response, g

from aegis_worker.errors import InvalidDocument
from aegis_worker.persistence.versions import Version
from aegis_worker.versioned import Config, Installed, Versioned
from aegis_worker.views.pages import list_body
from aegis_worker.views.versions import held_body, version_body

from .answers import answer
from .openapi import A_BODY, Blueprint, headers, refuses, takes
from .parts import parts
from .problems import RequestRefused
from .requests import wanted_version
from .versions import HeldSchema, VersionListSchema, VersionPutSchema, VersionsQuerySchema

View = TypeVar("View", bound=Callable[..., Any])


class Told(NamedTuple):
    """An operation as the document has it: its id, and what it does."""

    operation: str
    text: str


class Examples(NamedTuple):
    """Examples in the document: a configuration that is put, what is in force, and the changes."""

    put: Mapping[str, Any]
    held: Mapping[str, Any]
    versions: Mapping[str, Any]


def versions_example(kind: Versioned[Config], version: Version) -> dict[str, Any]:
    """A page of changes that has one more behind it."""
    return list_body([version_body(kind, version)], str(version.version))


@dataclass(frozen=True, slots=True)
class VersionRoutes(Generic[Config]):
    """The routes of one kind. `installed`: the kind in this process. `invalid`: the code of a value that can't be used."""

    installed: Callable[[], Installed[Config]]
    invalid: str
    put_schema: VersionPutSchema
    held_schema: HeldSchema
    list_schema: VersionListSchema
    examples: Examples
    show: Told
    change: Told
    history: Told

    def checked(self, document: Any) -> Config:
        """The configuration of a request. Raises RequestRefused, with a pointer to each wrong value."""
        try:
            return self.installed().checked(document)
        except InvalidDocument as error:
            faults = [
                {"pointer": "/config" + problem["pointer"], "code": self.invalid, "detail": problem["detail"]}
                for problem in error.problems
            ]
            raise RequestRefused(
                "validation_failed", f"{len(faults)} invalid value(s); errors says which.", faults
            ) from error

    def add_to(self, blueprint: Blueprint) -> None:
        """Add the routes to a blueprint."""
        held = blueprint.response(200, self.held_schema, example=self.examples.held, headers=headers("ETag"))

        @blueprint.route("", methods=["GET"])
        @refuses()
        @held
        @_told(self.show)
        def show() -> Response:
            with parts().web.database.read() as connection:
                newest = self.installed().kind.versions.newest_version(connection)
            return self._held(newest)

        @blueprint.route("", methods=["PUT"])
        @takes("If-Match")
        @refuses(
            *A_BODY,
            "version_conflict",
        )
        @blueprint.arguments(self.put_schema, example=self.examples.put)
        @held
        @_told(self.change)
        def change(body: dict[str, Any]) -> Response:
            config = None if body.get("source") == "file" else self.checked(body["config"])
            put = self.installed().kind.put(
                parts().web.database,
                config,
                actor=g.operator.actor,
                reason=body["reason"],
                expected_version=wanted_version(),
            )
            return self._held(put)

        @blueprint.route("/versions")
        @refuses("validation_failed")
        @blueprint.arguments(VersionsQuerySchema(), location="query")
        @blueprint.response(200, self.list_schema, example=self.examples.versions, headers=headers())
        @_told(self.history)
        def history(query: dict[str, Any]) -> Response:
            kind, limit = self.installed().kind, query["limit"]
            with parts().web.database.read() as connection:
                found = kind.versions.history(
                    connection, limit=limit + 1, before_version=query.get("starting_after")
                )
            page = found[:limit]
            cursor = str(page[-1].version) if len(found) > limit else None
            return answer(list_body([version_body(kind, version) for version in page], cursor))

    def _held(self, held: Version | None) -> Response:
        body = held_body(self.installed(), held)
        return answer(body, 200, {"ETag": f'"{body["version"]}"'})


def _told(told: Told) -> Callable[[View], View]:
    def named(view: View) -> View:
        view.__name__, view.__doc__ = told
        return view

    return named
