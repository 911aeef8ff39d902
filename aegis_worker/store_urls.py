"""DATABASE_URL and REDIS_URL, held against what every part of an installation makes of them.

SQLAlchemy, libpq, redis-py and kombu each read a URL in their own way. One that they could read differently is refused
before anything connects: else one process would work on other data than the next. No message repeats a part of the URL
in which a password may stand.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from ipaddress import IPv6Address
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit

import psycopg2
from psycopg2.extensions import make_dsn

from aegis_worker.errors import ConfigurationError

_DATABASE_FORM = "such as postgresql://user:password@host:5432/name"
_REDIS_FORM = "such as redis://:password@host:6379/0"

# Also those that people try first, so that the message can name what stands there; any other may be part of a password.
_DATABASE_SCHEMES = ("postgres", "postgresql", "postgresql+psycopg2")
_REDIS_SCHEMES = ("redis", "rediss")
_SHOWN_SCHEMES = {
    *_DATABASE_SCHEMES,
    *_REDIS_SCHEMES,
    *(
        "postgresql+psycopg",
        "postgresql+asyncpg",
        "postgresql+pg8000",
        "jdbc",
        "mysql",
        "mysql+pymysql",
        "mariadb",
    ),
    *(
        "sqlite",
        "oracle",
        "mssql",
        "mongodb",
        "http",
        "https",
        "tcp",
        "unix",
        "redis+socket",
        "sentinel",
        "amqp",
    ),
}
_MOST_DATABASES = 1_000_000
_SSL_MODES = {"disable", "allow", "prefer", "require", "verify-ca", "verify-full"}
_SSL_FILES = ("ssl_ca_certs", "ssl_certfile", "ssl_keyfile")
_SSL_CHECKS = ("none", "optional", "required")

# Variables of libpq by which the processes of one installation could end up at different tables. Those that only say how
# to get there (PGPASSFILE, PGSSLMODE …) may be set.
_ELSEWHERE = ("PGOPTIONS", "PGHOSTADDR", "PGSERVICE")


def checked_database_url(url: str, environ: Mapping[str, str], name: str = "DATABASE_URL") -> str:
    """The URL with its driver in it. Raises ConfigurationError in one line that says what is wrong and what to do.

    `name`: of its variable.
    """
    parts = _parts(name, url, _DATABASE_SCHEMES, _DATABASE_FORM)
    query = _query(name, parts, _DATABASE_FORM)
    given = {key: value for key, value in query if key != "host"}
    try:
        make_dsn(**given)
    except psycopg2.ProgrammingError:
        unknown = ", ".join(sorted(key for key in given if not _is_known(key))) or "one"
        raise _wrong(name, f"has a parameter that PostgreSQL doesn't know ({unknown}): remove it") from None
    if given.get("sslmode", "prefer") not in _SSL_MODES:
        raise _wrong(name, f"has an unknown sslmode: one of {', '.join(sorted(_SSL_MODES))}")
    has_host = bool(parts.hostname) or any(key == "host" and value for key, value in query)
    database = unquote(parts.path.removeprefix("/")) or given.get("dbname", "")
    _check_environment(
        name,
        environ,
        PGHOST=has_host,
        PGPORT=parts.port is not None
        or "port" in given
        or any(key == "host" and ":" in value for key, value in query),
        PGUSER=bool(parts.username) or "user" in given,
        PGDATABASE=bool(database),
    )
    if "/" in database or "%" in parts.path:
        raise _wrong(
            name, "has a database name with a / or %: such a name is given as ?dbname=…, with its escapes"
        )
    return "postgresql+psycopg2" + url[len(parts.scheme) :]


def checked_redis_url(url: str, name: str = "REDIS_URL") -> str:
    """The URL, if redis-py and Celery understand the same by it. Raises ConfigurationError as above."""
    parts = _parts(name, url, _REDIS_SCHEMES, _REDIS_FORM)
    if ";" in url:
        raise _wrong(name, "holds a ;, at which Celery would cut it: a ; in the password is written %3B")
    number = parts.path.removeprefix("/")
    if number and not (number.isascii() and number.isdecimal() and int(number) < _MOST_DATABASES):
        raise _wrong(name, f"must end with the number of a database, or with the port, {_REDIS_FORM}")
    for key, value in _query(name, parts, _REDIS_FORM):
        _check_redis_parameter(name, parts.scheme, key, value)
    return url


def broker_url(environ: Mapping[str, str] = os.environ) -> str:
    """REDIS_URL for Celery, which wants it before anybody can be told that it is wrong: nobody's address then.

    Whoever starts loads the settings, and those refuse it.
    """
    try:
        return checked_redis_url(environ.get("REDIS_URL", ""))
    except ConfigurationError:
        return "redis://127.0.0.1:1/0"


def _wrong(name: str, what: str) -> ConfigurationError:
    return ConfigurationError(f"{name} {what}")


def _parts(name: str, url: str, schemes: tuple[str, ...], form: str) -> SplitResult:
    """The parts of a URL that has nothing ambiguous before its path."""
    if not url.strip():
        raise _wrong(name, f"is empty: set it, {form}")
    if url != url.strip() or url[0] in "'\"" or url[-1] in "'\"":
        raise _wrong(name, f"has spaces or quotation marks around it: take them away, {form}")
    if any(character.isspace() or not character.isprintable() for character in url):
        raise _wrong(name, "holds a space or a control character: write a space as %20, or take it away")
    scheme, separator, rest = url.partition("://")
    if not separator:
        raise _wrong(name, f"is no URL: it must begin with a scheme and ://, {form}")
    if scheme not in schemes:
        shown = f" {scheme}://" if scheme.lower() in _SHOWN_SCHEMES else " something else"
        raise _wrong(name, f"must begin with {' or '.join(f'{one}://' for one in schemes)}, not with{shown}")
    if re.search(r"%(?![0-9A-Fa-f]{2})", rest):
        raise _wrong(name, "holds a % that begins no escape: a % in the password is written %25")
    if "#" in rest:
        raise _wrong(name, "holds a #: in the password it is written %23")
    _check_authority(name, rest, form)
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise _wrong(
            name, f"has no valid host and port: a port is a number from 1 to 65535, {form}"
        ) from None
    if port == 0:
        raise _wrong(name, f"has the port 0: a port is a number from 1 to 65535, {form}")
    return parts


def _check_authority(name: str, rest: str, form: str) -> None:
    authority = re.split("[/?]", rest, maxsplit=1)[0]
    path = rest[len(authority) :].split("?", 1)[0]
    if "@" in path or ("@" in rest and "@" not in authority):
        raise _wrong(name, "has a / or ? before an @: in the user or password they are written %2F and %3F")
    if authority.count("@") > 1:
        raise _wrong(name, "has more than one @ before the host: in the user or password it is written %40")
    credentials, _, place = authority.rpartition("@")
    if re.search(r"[\[\]]", credentials):
        raise _wrong(name, "has a [ or ] in the user or password: they are written %5B and %5D")
    if place.startswith("["):
        _check_ipv6(name, place, form)
    elif place.count(":") > 1 and "," not in place:
        raise _wrong(name, "has an IPv6 address without brackets: put [ and ] around it")
    elif not re.fullmatch(r"[A-Za-z0-9._-]*(:\d*)?", place):
        what = "has no valid host and port after the @" if credentials else "has no valid host and port"
        raise _wrong(name, f"{what}, {form}")
    elif place.endswith(":"):
        raise _wrong(name, f"ends its host with a : and no port, {form}")


def _check_ipv6(name: str, place: str, form: str) -> None:
    address, closed, port = place[1:].partition("]")
    try:
        IPv6Address(address)
    except ValueError:
        closed = ""
    if not closed or not re.fullmatch(r"(:\d+)?", port):
        raise _wrong(name, f"has no valid IPv6 address in its brackets, {form}")


def _query(name: str, parts: SplitResult, form: str) -> list[tuple[str, str]]:
    if not parts.query:
        return []
    try:
        query = parse_qsl(parts.query, keep_blank_values=True, strict_parsing=True)
    except ValueError:
        raise _wrong(name, f"has something after the ? that is not name=value, {form}") from None
    keys = [key for key, _ in query if key != "host"]
    if len(set(keys)) < len(keys):
        raise _wrong(name, "has a parameter twice after the ?: leave one")
    return query


def _is_known(key: str) -> bool:
    try:
        make_dsn(**{key: ""})
    except psycopg2.ProgrammingError:
        return False
    return True


def _check_environment(name: str, environ: Mapping[str, str], **said: bool) -> None:
    """Refuse variables of libpq that would decide where we go; `said`: what the URL says itself."""
    for variable in (*_ELSEWHERE, *(variable for variable, by_url in said.items() if not by_url)):
        if environ.get(variable):
            where = "as ?options=… in" if variable == "PGOPTIONS" else "in"
            raise ConfigurationError(
                f"{variable} is set, and would lead some process elsewhere than {name} does: unset it, and say "
                f"it {where} {name}, which holds for every process"
            )


def _check_redis_parameter(name: str, scheme: str, key: str, value: str) -> None:
    if scheme != "rediss" or key not in ("ssl_cert_reqs", *_SSL_FILES):
        raise _wrong(
            name,
            "has a parameter that Celery doesn't understand: remove all after the ? (allowed are ssl_cert_reqs,"
            f" {', '.join(_SSL_FILES)}, with rediss://)",
        )
    if key == "ssl_cert_reqs" and value not in _SSL_CHECKS:
        raise _wrong(name, f"has an unknown ssl_cert_reqs: one of {', '.join(_SSL_CHECKS)}")
    if key in _SSL_FILES and not os.access(value, os.R_OK):
        raise _wrong(name, f"names a file in {key} that is not there or can't be read")
