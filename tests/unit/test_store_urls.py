"""DATABASE_URL and REDIS_URL: what its readers would take differently is refused, and nothing is given away."""

from __future__ import annotations

from pathlib import Path

import pytest
from kombu import Connection
from kombu.utils.url import parse_url
from redis.connection import parse_url as redis_parse_url
from sqlalchemy import make_url

from aegis_worker.errors import ConfigurationError
from aegis_worker.store_urls import broker_url, checked_database_url, checked_redis_url

# The password of all of them, whole or cut in two.
SECRET, HALVES = "hunter2", ("hun", "ter2")

BAD_DATABASES = [
    ("", "is empty"),
    ("   ", "is empty"),
    ("aegis", "begin with a scheme"),
    ("localhost:5432/aegis", "begin with a scheme"),
    ("postgresql:/u:hunter2@h/db", "begin with a scheme"),
    ("host=h user=u password=hunter2 dbname=db", "space"),
    ("sqlite:///aegis.db", "not with sqlite://"),
    ("mysql://u:hunter2@h/db", "not with mysql://"),
    ("hunter2://h/db", "something else"),
    ("postgresql+asyncpg://u:hunter2@h/db", "postgresql+asyncpg"),
    ("POSTGRESQL://u:hunter2@h/db", "must begin with"),
    ("'postgresql://u:hunter2@h/db'", "quotation marks"),
    ('"postgresql://u:hunter2@h/db', "quotation marks"),
    (" postgresql://u:hunter2@h/db", "spaces"),
    ("postgresql://u:hunter2@h/db\n", "spaces"),
    ("postgresql://u:hun ter2@h/db", "space"),
    ("postgresql://u:hun\x07ter2@h/db", "control character"),
    ("postgresql://u:hun@ter2@h/db", "%40"),
    ("postgresql://u:hunter2@@h/db", "%40"),
    ("postgresql://u:hun/ter2@h/db", "%2F"),
    ("postgresql://u:hun?ter2@h/db", "%3F"),
    ("postgresql://u:hun#ter2@h/db", "%23"),
    ("postgresql://u:hun%ter2@h/db", "%25"),
    ("postgresql://u:hunter2%@h/db", "%25"),
    ("postgresql://u:hun[ter2@h/db", "%5B"),
    ("postgresql://u:hunter2@h:port/db", "port"),
    ("postgresql://u:hunter2@h:/db", "no port"),
    ("postgresql://u:hunter2@h:0/db", "port"),
    ("postgresql://u:hunter2@h:65536/db", "port"),
    ("postgresql://u:hunter2@h:-1/db", "port"),
    ("postgresql://u:hunter2@::1/db", "IPv6"),
    ("postgresql://u:hunter2@fe80::1:5432/db", "IPv6"),
    ("postgresql://u:hunter2@[::zz]/db", "IPv6"),
    ("postgresql://u:hunter2@[::1/db", "IPv6"),
    ("postgresql://u:hunter2@h_ü/db", "host"),
    ("postgresql://u:hunter2@a:1,b:2/db", "host"),
    ("postgresql://u:hunter2@h/a/b", "?dbname="),
    ("postgresql://u:hunter2@h/a%20b", "?dbname="),
    ("postgresql://u:hunter2@h/db?foo=1", "foo"),
    ("postgresql://u:hunter2@h/db?pool_size=3", "pool_size"),
    ("postgresql://u:hunter2@h/db?sslmode=maybe", "sslmode"),
    ("postgresql://u:hunter2@h/db?sslmode", "name=value"),
    ("postgresql://u:hunter2@h/db?sslmode=require&sslmode=disable", "twice"),
]
BAD_REDIS = [
    ("", "is empty"),
    ("localhost", "begin with a scheme"),
    ("127.0.0.1:6379", "begin with a scheme"),
    ("http://:hunter2@h", "not with http://"),
    ("unix:///run/redis.sock", "not with unix://"),
    ("redis+socket:///run/redis.sock", "not with redis+socket://"),
    ("hunter2://h", "something else"),
    ('"redis://:hunter2@h"', "quotation marks"),
    ("redis://:hunter2@h ", "spaces"),
    ("redis://:hun ter2@h", "space"),
    ("redis://:hun@ter2@h", "%40"),
    ("redis://:hun/ter2@h:6379/0", "%2F"),
    ("redis://:hun#ter2@h", "%23"),
    ("redis://:hun%ter2@h", "%25"),
    ("redis://:hun;ter2@h", "%3B"),
    ("redis://:hunter2@h:port/0", "port"),
    ("redis://:hunter2@h:99999/0", "port"),
    ("redis://:hunter2@::1:6379/0", "IPv6"),
    ("redis://:hunter2@h/zero", "number of a database"),
    ("redis://:hunter2@h/-1", "number of a database"),
    ("redis://:hunter2@h/0/1", "number of a database"),
    ("redis://:hunter2@h/٣", "number of a database"),
    ("redis://:hunter2@h/99999999", "number of a database"),
    ("redis://:hunter2@h/0?db=1", "after the ?"),
    ("redis://:hunter2@h/0?socket_timeout=3", "after the ?"),
    ("redis://:hunter2@h/0?protocol=3", "after the ?"),
    ("redis://:hunter2@h/0?ssl_cert_reqs=none", "rediss://"),
    ("redis://:hunter2@h/0?x", "name=value"),
    ("rediss://:hunter2@h/0?ssl_cert_reqs=maybe", "ssl_cert_reqs"),
    ("rediss://:hunter2@h/0?ssl_ca_certs=/not/there.pem", "ssl_ca_certs"),
    ("rediss://:hunter2@h/0?ssl_min_version=1", "after the ?"),
]
GOOD_DATABASES = [
    ("postgres://u:p%40ss%2Fw%25@h:5433/db", ("u", "p@ss/w%", "h", 5433, "db")),
    ("postgresql://u:a:b@h/db", ("u", "a:b", "h", None, "db")),
    ("postgresql+psycopg2://u@[::1]:5432/db", ("u", None, "::1", 5432, "db")),
    ("postgresql://u@/db?host=/run/postgresql", ("u", None, None, None, "db")),
    ("postgresql://u@h", ("u", None, "h", None, None)),
]
GOOD_REDIS = [
    "redis://h",
    "redis://:p%40ss%2Fw%25%3B@h:6380/3",
    "redis://user:a+b@127.0.0.1:6379/0",
    "redis://[::1]:6379/15",
    "rediss://:p@h/0?ssl_cert_reqs=none",
]


def _gives_nothing_away(text: str) -> bool:
    return SECRET not in text and not all(half in text for half in HALVES) and "\n" not in text


@pytest.mark.parametrize(("url", "said"), BAD_DATABASES)
def test_a_database_url_that_can_be_misread_is_refused_in_one_line_without_its_password(
    url: str, said: str
) -> None:
    with pytest.raises(ConfigurationError) as refused:
        checked_database_url(url, {})
    assert str(refused.value).startswith("DATABASE_URL ")
    assert said in str(refused.value)
    assert _gives_nothing_away(str(refused.value))


@pytest.mark.parametrize(("url", "said"), BAD_REDIS)
def test_a_redis_url_that_can_be_misread_is_refused_in_one_line_without_its_password(
    url: str, said: str
) -> None:
    with pytest.raises(ConfigurationError) as refused:
        checked_redis_url(url)
    assert str(refused.value).startswith("REDIS_URL ")
    assert said in str(refused.value)
    assert _gives_nothing_away(str(refused.value))
    assert broker_url({"REDIS_URL": url}) == "redis://127.0.0.1:1/0", "whoever imports Celery's app still can"


@pytest.mark.parametrize(("url", "parts"), GOOD_DATABASES)
def test_a_database_url_that_is_taken_is_read_as_it_is_written(url: str, parts: tuple[object, ...]) -> None:
    read = make_url(checked_database_url(url, {}))
    assert read.drivername == "postgresql+psycopg2"
    assert (read.username, read.password, read.host, read.port, read.database) == parts


@pytest.mark.parametrize("url", GOOD_REDIS)
def test_redis_py_and_celery_understand_the_same_by_a_redis_url_that_is_taken(url: str) -> None:
    ours, celerys = redis_parse_url(checked_redis_url(url)), parse_url(url)
    assert ours["host"] == celerys["hostname"]
    assert ours.get("port") == celerys["port"]
    assert ours.get("password") == celerys["password"]
    assert ours.get("username") == celerys["userid"]
    assert ours.get("db", 0) == int(celerys["virtual_host"] or 0)
    assert Connection(url).hostname == ours["host"]


def test_a_file_of_tls_that_is_there_is_taken(tmp_path: Path) -> None:
    (tmp_path / "ca.pem").touch()
    url = f"rediss://h/0?ssl_ca_certs={tmp_path}/ca.pem"
    assert checked_redis_url(url) == url


@pytest.mark.parametrize(
    ("variable", "url"),
    [
        ("PGOPTIONS", "postgresql://u@h:5432/db"),
        ("PGOPTIONS", "postgresql://u@h:5432/db?options=-csearch_path%3Db"),
        ("PGHOSTADDR", "postgresql://u@h:5432/db"),
        ("PGSERVICE", "postgresql://u@h:5432/db"),
        ("PGHOST", "postgresql://u@/db"),
        ("PGPORT", "postgresql://u@h/db"),
        ("PGUSER", "postgresql://h:5432/db"),
        ("PGDATABASE", "postgresql://u@h:5432/"),
    ],
)
def test_a_variable_of_libpq_that_would_lead_elsewhere_is_refused(variable: str, url: str) -> None:
    with pytest.raises(ConfigurationError, match=f"{variable} is set"):
        checked_database_url(url, {variable: "-c search_path=other"})


def test_variables_of_libpq_that_change_nothing_are_left_alone() -> None:
    environ = {
        "PGHOST": "x",
        "PGPORT": "1",
        "PGUSER": "x",
        "PGDATABASE": "x",
        "PGSSLMODE": "require",
        "PGOPTIONS": "",
    }
    assert checked_database_url("postgresql://u@h:5432/db", environ)
