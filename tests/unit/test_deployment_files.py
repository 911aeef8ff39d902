"""Procfile, docker-compose.yml, Dockerfile and Redis settings: what they name exists, and secrets stay out."""

from __future__ import annotations

import ast
import importlib
import importlib.util
import json
import re
import shlex
from configparser import ConfigParser
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

import click
import pytest
import yaml
from celery import Celery
from celery.bin.beat import beat
from celery.bin.worker import worker
from honcho.environ import parse_procfile
from support.checkout import CHECKOUT

from aegis_api.http.waiting import LONGEST_WAIT_S
from aegis_api.server.settings import HEAD_WITHIN_S, STOP_WITHIN_S
from aegis_worker import __version__
from aegis_worker.cli import cli
from aegis_worker.console_settings import VARIABLES as CONSOLE_VARIABLES
from aegis_worker.observation_settings import VARIABLES as OBSERVATION_VARIABLES
from aegis_worker.settings import load_settings
from aegis_worker.vault_settings import VARIABLES as VAULT_VARIABLES

COMPOSE: dict[str, Any] = yaml.safe_load((CHECKOUT / "docker-compose.yml").read_text())
# Those of the profile `observability` are looked at in test_monitoring_files.py.
SERVICES: dict[str, Any] = {
    name: service for name, service in COMPOSE["services"].items() if "profiles" not in service
}
OURS = ("migrate", "api", "worker", "beat")
PROCFILE = parse_procfile((CHECKOUT / "Procfile").read_text()).processes
EXAMPLE = (CHECKOUT / "config" / "aegis.env.example").read_text()
_VARIABLE = re.compile(r"^(#?)([A-Z][A-Z0-9_]+)=(.*)$", re.MULTILINE)
_COMMANDS = {
    **{f"Procfile {name}": shlex.split(command) for name, command in PROCFILE.items()},
    **{f"compose {name}": SERVICES[name]["command"] for name in OURS},
}


def test_the_procfile_has_the_five_processes() -> None:
    assert list(PROCFILE) == ["release", "web", "worker", "beat", "relay"]


@pytest.mark.parametrize("argv", _COMMANDS.values(), ids=_COMMANDS.keys())
def test_every_command_exists(argv: list[str]) -> None:
    match argv:
        case ["exec", *rest] | ["env", "REMAP_SIGTERM=SIGQUIT", *rest]:
            test_every_command_exists(rest)
        case ["aegis", command]:
            assert _aegis_command(command) is not None
        case ["python", "-m", module]:
            assert importlib.util.find_spec(f"{module}.__main__") is not None
        case ["celery", "-q", "-A", application, "worker" | "beat" as program, *options]:
            assert _is_console_script("celery")
            module, name = application.split(":")
            assert isinstance(getattr(importlib.import_module(module), name), Celery)
            known = {
                option
                for parameter in (worker if program == "worker" else beat).params
                for option in parameter.opts
            }
            assert {option.split("=")[0] for option in options if option.startswith("-")} <= known
        case _:
            pytest.fail(f"no rule for {argv}")


def test_the_workers_consume_every_queue_and_talk_to_no_other_worker() -> None:
    from aegis_worker.celery import QUEUES

    for argv in (shlex.split(PROCFILE["worker"]), SERVICES["worker"]["command"]):
        found = re.search(r"--queues[= ](\S+)", " ".join(argv))
        assert found is not None
        assert tuple(found.group(1).split(",")) == QUEUES
        assert {"--without-gossip", "--without-mingle", "--without-heartbeat"} <= set(argv)


def test_compose_has_the_services_and_a_health_check_for_each_that_stays() -> None:
    assert set(SERVICES) == {"postgres", "redis", *OURS}
    for name, service in SERVICES.items():
        assert ("healthcheck" in service) == (name != "migrate"), name
    assert SERVICES["migrate"]["restart"] == "no"


def test_our_services_wait_for_healthy_stores_and_the_finished_migration() -> None:
    for name in ("api", "worker", "beat"):
        assert SERVICES[name]["depends_on"] == {
            "migrate": {"condition": "service_completed_successfully"},
            "postgres": {"condition": "service_healthy"},
            "redis": {"condition": "service_healthy"},
        }
    assert SERVICES["migrate"]["depends_on"] == {"postgres": {"condition": "service_healthy"}}


def test_every_secret_of_compose_comes_from_the_environment_and_is_demanded() -> None:
    seen = set()
    for service in SERVICES.values():
        for name, value in service["environment"].items():
            if re.search("PASSWORD|SECRET|_URL|_KEY", name):
                assert re.search(r"\$\{[A-Z_]+:\?[^}]+\}", value), name
                seen.add(name)
    assert {"DATABASE_URL", "REDIS_URL", "AEGIS_SECRET", "POSTGRES_PASSWORD", "REDIS_PASSWORD"} <= seen


def test_only_the_api_has_a_port_and_it_is_on_loopback() -> None:
    ports = {name: service.get("ports", []) for name, service in SERVICES.items()}
    assert [name for name, published in ports.items() if published] == ["api"]
    assert all(port.startswith("127.0.0.1:") for port in ports["api"])


def test_the_worker_is_given_time_for_its_soft_shutdown() -> None:
    from aegis_worker.celery import app

    assert SERVICES["worker"]["environment"]["REMAP_SIGTERM"] == "SIGQUIT"
    grace_s = int(SERVICES["worker"]["stop_grace_period"].removesuffix("s"))
    assert grace_s > app.conf.worker_soft_shutdown_timeout


def test_our_containers_have_no_rights_and_the_version_of_the_package() -> None:
    for name in OURS:
        assert SERVICES[name]["image"] == f"aegispay:{__version__}"
        assert SERVICES[name]["read_only"] is True
        assert SERVICES[name]["cap_drop"] == ["ALL"]


def test_the_files_that_compose_and_the_dockerfile_name_exist_and_are_in_the_build() -> None:
    build = SERVICES["api"]["build"]
    dockerfile = CHECKOUT / build["context"] / build["dockerfile"]
    ignore = dockerfile.with_name(dockerfile.name + ".dockerignore").read_text().splitlines()
    lines = [line.split() for line in dockerfile.read_text().splitlines()]
    copied = [
        path for words in lines if words[:1] == ["COPY"] and "--from" not in words[1] for path in words[1:-1]
    ]
    assert "config" in copied
    packages = re.findall(r"^    (\w+)\*$", (CHECKOUT / "setup.cfg").read_text(), re.MULTILINE)
    assert set(packages) <= set(copied)
    for path in copied:
        assert (CHECKOUT / path).exists(), path
        assert f"!{path}" in ignore, path
    assert [words[1] for words in lines if words[:1] == ["USER"]] == ["aegis"]
    for volume in SERVICES["redis"]["volumes"]:
        if volume.startswith("./"):
            assert (CHECKOUT / volume.split(":")[0]).is_file()


def test_the_image_serves_the_api_as_compose_does() -> None:
    lines = (CHECKOUT / "config" / "Dockerfile").read_text().splitlines()
    assert [line for line in lines if line.startswith("CMD")] == [
        f"CMD {json.dumps(SERVICES['api']['command'])}"
    ]


def test_the_api_keeps_connections_longer_than_a_proxy_and_stops_before_it_is_killed() -> None:
    assert HEAD_WITHIN_S > 60, "the proxy closes idle connections, not the API"
    grace_s = int(SERVICES["api"]["stop_grace_period"].removesuffix("s"))
    assert grace_s > STOP_WITHIN_S > LONGEST_WAIT_S


def test_redis_keeps_messages_and_evicts_nothing() -> None:
    lines = [line.split() for line in (CHECKOUT / "config" / "redis.conf").read_text().splitlines() if line]
    settings = {words[0]: words[1:] for words in lines if words[0] != "#"}
    assert settings["appendonly"] == ["yes"]
    assert settings["maxmemory-policy"] == ["noeviction"]
    assert "requirepass" not in settings


def test_the_example_explains_every_variable_that_is_read_and_no_other() -> None:
    explained = {name for _, name, _ in _VARIABLE.findall(EXAMPLE)}
    gateways = set(re.findall(r'_env = "(\w+)"', (CHECKOUT / "config" / "gateways.toml").read_text()))
    read_elsewhere = {
        name
        for path in [
            CHECKOUT / "Procfile",
            CHECKOUT / "aegis_api" / "server" / "settings.py",
            *_cli_modules(),
        ]
        for name in re.findall(r"AEGIS_[A-Z_]+", path.read_text())
    }
    read = _read_by_settings() | VAULT_VARIABLES | OBSERVATION_VARIABLES | CONSOLE_VARIABLES | gateways
    assert read <= explained
    assert explained <= read | read_elsewhere


def test_the_defaults_that_the_example_shows_are_the_defaults(monkeypatch: pytest.MonkeyPatch) -> None:
    shown = {name: (hidden, value) for hidden, name, value in _VARIABLE.findall(EXAMPLE)}
    for name in shown:
        monkeypatch.delenv(name, raising=False)
    for name, (hidden, value) in shown.items():
        if not hidden:
            monkeypatch.setenv(name, value)
    defaults = load_settings()
    for name in (_read_by_settings() | OBSERVATION_VARIABLES) - {"AEGIS_CONFIG_DIR"}:
        monkeypatch.setenv(name, shown[name][1])
    assert load_settings() == defaults


def test_what_the_example_demands_is_what_the_settings_demand(monkeypatch: pytest.MonkeyPatch) -> None:
    demanded = {name for hidden, name, _ in _VARIABLE.findall(EXAMPLE) if not hidden}
    assert demanded == {"DATABASE_URL", "REDIS_URL", "AEGIS_SECRET"}


def _read_by_settings() -> set[str]:
    tree = ast.parse((CHECKOUT / "aegis_worker" / "settings.py").read_text())
    return {
        str(node.args[0].value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and isinstance(node.func.value, ast.Name)
        and node.func.value.id == "env"
        and isinstance(node.args[0], ast.Constant)
    }


def _cli_modules() -> list[Path]:
    return sorted((CHECKOUT / "aegis_worker" / "cli").rglob("*.py"))


def _aegis_command(name: str) -> object:
    setup = ConfigParser()
    setup.read(CHECKOUT / "setup.cfg")
    script, target = setup["options.entry_points"]["console_scripts"].split("=")
    assert script.strip() == "aegis"
    module, function = target.strip().split(":")
    assert callable(getattr(importlib.import_module(module), function))
    return cli.get_command(click.Context(cli), name)


def _is_console_script(name: str) -> bool:
    return bool(entry_points(group="console_scripts", name=name))
