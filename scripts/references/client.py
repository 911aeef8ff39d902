"""The code of the client that follows from the OpenAPI document: types, exceptions by code, a method an operation."""

from __future__ import annotations

import json
import keyword
import re
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

from aegis_api.app import openapi_document

from .client_types import TypedDicts

_BANNER = (
    '"""{about}\n\nWritten by scripts/documents from the OpenAPI document of the API: change that.\n"""\n\n'
    "from __future__ import annotations\n"
)
_LONGEST_LINE = 110
# What a gateway or a scraper calls, and no client.
_OF_OTHERS = {"receive_gateway_webhook", "answer_gateway_challenge", "metrics"}
# Batches have a method of their own, which posts too large ones in halves.
_LEFT_OUT = {*_OF_OTHERS, "create_payments"}
# Methods whose name does not follow from verb and path.
_NAMES = {
    "create_capture": "capture",
    "create_refund": "refund",
    "refund_as_operator": "refund",
    "capture_as_operator": "capture",
    "cancel_payment": "cancel",
    "disable_endpoint": "disable",
    "destroy_token": "destroy",
    "erase": "erase",
    "explain_any_payment": "explain",
    "show_analytics_of_all": "analytics",
    "resolve_payment": "resolve",
    "list_attempts": "attempts",
    "explain_payment": "explain",
    "healthz": "alive",
    "readyz": "ready",
}
_HEADERS = {
    "Idempotency-Key": ("idempotency_key", "str"),
    "Prefer": ("wait_s", "int | None"),
    "If-Match": ("if_match", "int"),
}


@cache
def _document() -> Mapping[str, Any]:
    return json.loads(openapi_document())  # type: ignore[no-any-return]


def models() -> str:
    """`aegis_client/models.py`."""
    lines = [_BANNER.format(about="What the API takes and answers, as types of plain dictionaries.")]
    lines.append("from typing import Any, Literal, NotRequired, TypedDict\n")
    for name, schema in _document()["components"]["schemas"].items():
        lines += ["", TypedDicts.written(name, schema)]
    return "\n".join(lines)


def problems() -> str:
    """`aegis_client/problems.py`."""
    titles: dict[str, str] = {}
    for _, _, operation in _operations():
        if operation["operationId"] in _OF_OTHERS:
            continue
        for response in operation["responses"].values():
            content = response.get("content", {}).get("application/problem+json", {})
            for code, example in content.get("examples", {}).items():
                titles[code] = example["value"]["title"]
    lines = [_BANNER.format(about="An exception for each code that the API refuses with.")]
    lines.append("from .errors import ApiError\n")
    for code in sorted(titles):
        name = "".join(word.capitalize() for word in code.split("_"))
        lines += [
            "",
            f"class {name}(ApiError):",
            f'    """{titles[code]}."""',
            "",
            f'    code = "{code}"',
            "",
        ]
    return "\n".join(lines)


def resources() -> str:
    """`aegis_client/resources.py`."""
    operations = [_Operation(*each) for each in _operations() if each[2]["operationId"] not in _LEFT_OUT]
    lines = [_BANNER.format(about="The operations of the API, a method each: for threads, and for asyncio.")]
    lines.append("from collections.abc import Awaitable, Callable, Mapping")
    lines.append("from typing import Any, Literal, Unpack\n")
    lines.append("from . import models\nfrom .calls import Call, call, part")
    lines.append("from .pages import AsyncPages, Pages\n")
    for is_async in (False, True):
        lines += ["", *_classes(operations, is_async)]
    return "\n".join(lines)


def _operations() -> Iterator[tuple[str, str, Mapping[str, Any]]]:
    for path, methods in _document()["paths"].items():
        for method, operation in methods.items():
            if method in ("get", "post", "put", "delete"):
                yield path, method, operation


def _classes(operations: list[_Operation], is_async: bool) -> Iterator[str]:
    prefix = "Async" if is_async else ""
    by_resource: dict[str, list[_Operation]] = {}
    for operation in operations:
        by_resource.setdefault(operation.resource, []).append(operation)
    send = f"Callable[[Call], {'Awaitable[Any]' if is_async else 'Any'}]"
    yield f"class {prefix}Resource:"
    yield '    """Some operations of an API. `send` makes a call, and gives the JSON object of its answer."""\n'
    yield f"    def __init__(self, send: {send}) -> None:"
    yield "        self._send = send\n"
    for resource, of_it in by_resource.items():
        names = [operation.name for operation in of_it]
        if len(names) != len(set(names)):
            raise ValueError(f"two methods of {resource} have one name: {names}")
        yield f"\nclass {prefix}{_camel(resource)}({prefix}Resource):"
        yield f'    """The operations under `{resource}`."""\n'
        for operation in of_it:
            yield from operation.written(is_async)
    yield f"\nclass {prefix}Resources:"
    yield '    """All operations of an API, by what they are about."""\n'
    yield f"    def __init__(self, send: {send}) -> None:"
    for resource in by_resource:
        yield f"        self.{resource} = {prefix}{_camel(resource)}(send)"
    yield ""


class _Operation:
    """One operation of the document, as a method."""

    def __init__(self, path: str, method: str, operation: Mapping[str, Any]) -> None:
        self._path, self._method, self._operation = path, method.upper(), operation
        parts = [part for part in path.split("/") if part and not part.startswith("{")]
        parts = parts[1:] if parts[0] == "v1" else ["health"]
        self.resource = parts[0].replace("-", "_")
        self.name = self._named(parts)
        self._answer = self._answers()
        self.is_paged = any(one.get("name") == "starting_after" for one in self._parameters())

    def written(self, is_async: bool) -> Iterator[str]:
        """The method's lines."""
        awaits, kind = ("async ", "await ") if is_async else ("", "")
        pages = ("AsyncPages" if is_async else "Pages") if self.is_paged else ""
        answer = f"{pages}[{self._row()}]" if pages else self._answer
        yield from _definition(f"{'' if pages else awaits}def {self.name}", self._signature(), answer)
        yield self._about()
        if not pages:
            yield f"        return {kind}self._send({self._call('')})\n"
            return
        page = f"{'Awaitable[' if is_async else ''}Mapping[str, Any]{']' if is_async else ''}"
        yield f"        def page(cursor: str | None) -> {page}:"
        yield f"            return self._send({self._call('cursor')})\n"
        yield f"        return {pages}(page, starting_after)\n"

    def _named(self, parts: list[str]) -> str:
        operation_id = self._operation["operationId"]
        if operation_id in _NAMES:
            return _NAMES[operation_id]
        ends_in_id = self._path.endswith("}")
        if self._method == "GET" and len(parts) == 1:
            return "get" if ends_in_id or "list" not in operation_id else "list"
        if self._method != "GET" and len(parts) == 1:
            return {"POST": "create", "PUT": "put", "DELETE": "delete"}[self._method]
        last = parts[-1].replace("-", "_")
        if ends_in_id and self._method == "GET":
            return last.removesuffix("s")
        return last

    def _parameters(self) -> Iterator[Mapping[str, Any]]:
        for one in self._operation.get("parameters", ()):
            yield (
                _document()["components"]["parameters"][one["$ref"].rsplit("/", 1)[1]]
                if "$ref" in one
                else one
            )

    def _in_path(self) -> list[str]:
        return re.findall(r"{(\w+)}", self._path)

    def _queries(self) -> list[tuple[str, str, str]]:
        """Each parameter of the query: as the API names it, as the method does, and its type."""
        found = []
        for one in self._parameters():
            if one["in"] != "query" or one["name"] == "starting_after":
                continue
            name = re.sub(r"\W+", "_", one["name"]).strip("_")
            name = "page_size" if name == "limit" else name
            name = f"{name}_" if keyword.iskeyword(name) else name
            found.append((one["name"], name, TypedDicts.expression({**one["schema"], "default": None})))
        return found

    def _body(self) -> str | None:
        content = self._operation.get("requestBody", {}).get("content", {}).get("application/json")
        return None if content is None else str(content["schema"]["$ref"]).rsplit("/", 1)[1]

    def _signature(self) -> list[str]:
        given = [f"{name}: str" for name in self._in_path()]
        named = [f"{name}: {kind}{' = None' if 'None' in kind else ''}" for name, kind in self._headers()]
        named += [f"{name}: {kind} | None = None" for _, name, kind in self._queries()]
        named += ["starting_after: str | None = None"] if self.is_paged else []
        body = self._body()
        rest = [f"**body: Unpack[models.{body}]"] if body is not None else []
        return ["self", *given, *(["*", *named] if named else []), *rest]

    def _headers(self) -> list[tuple[str, str]]:
        return [_HEADERS[one["name"]] for one in self._parameters() if one["name"] in _HEADERS]

    def _call(self, cursor: str) -> str:
        path = re.sub(r"{(\w+)}", r"{part(\1)}", self._path)
        given = [f'"{self._method}"', f'f"{path}"' if "{" in path else f'"{path}"']
        queries = [f'"{wire}": {name}' for wire, name, _ in self._queries()]
        queries += [f'"starting_after": {cursor}'] if cursor else []
        given += ["query={" + ", ".join(queries) + "}"] if queries else []
        given += ["body=body"] if self._body() is not None else []
        given += [f"{name}={name}" for name, _ in self._headers()]
        return f"call({', '.join(given)})"

    def _answers(self) -> str:
        kinds = []
        for status, response in self._operation["responses"].items():
            if not status.startswith("2"):
                continue
            content = response.get("content", {}).get("application/json")
            kinds.append(
                "None" if content is None else f"models.{content['schema']['$ref'].rsplit('/', 1)[1]}"
            )
        return " | ".join(dict.fromkeys(kinds))

    def _row(self) -> str:
        data = _document()["components"]["schemas"][self._answer.removeprefix("models.")]["properties"][
            "data"
        ]
        return f"models.{data['items']['$ref'].rsplit('/', 1)[1]}"

    def _about(self) -> str:
        return f'        """{self._operation["summary"].replace(chr(92), "")}."""'


def _definition(begin: str, parameters: list[str], answer: str) -> Iterator[str]:
    """The first line of a method, or one line a parameter where it would be long."""
    line = f"    {begin}({', '.join(parameters)}) -> {answer}:"
    if len(line) <= _LONGEST_LINE:
        yield line
        return
    yield f"    {begin}("
    for parameter in parameters:
        yield f"        {parameter},"
    yield f"    ) -> {answer}:"


def _camel(name: str) -> str:
    return "".join(word.capitalize() for word in name.split("_"))
