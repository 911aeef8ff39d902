# Sourced by the other scripts. Changes into the checkout and puts its .venv first on PATH. Makes .venv if there is none,
# and installs the package and its development tools into it if setup.cfg or pyproject.toml has changed since.
# Needs Python 3.11 or newer and nothing else. AEGIS_PYTHON names another interpreter.

aegis_die() {
  echo "$(basename "$0"): $*" >&2
  exit 1
}

aegis_find_python() {
  local candidate
  for candidate in ${AEGIS_PYTHON:-python3.11 python3.12 python3.13 python3.14 python3 python}; do
    # ensurepip is a package of its own on Debian; without it `python -m venv` fails half-way.
    if "$candidate" -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
      command -v "$candidate"
      return
    fi
  done
  aegis_die "needs Python 3.11 or newer with venv and ensurepip (Debian: apt-get install python3 python3-venv);" \
    "tried ${AEGIS_PYTHON:-python3.11 to python3.14, python3, python}"
}

aegis_install() {
  local python place wanted
  python=$(aegis_find_python)
  # A virtual environment can't be moved or used with another interpreter, so after either it is made anew.
  place="$PWD $("$python" -c 'import sys; print(sys.base_prefix, sys.version_info[:2])')"
  wanted="$place
$("$python" -c 'import hashlib, sys; print(hashlib.sha256(b"".join(open(f, "rb").read() for f in sys.argv[1:])).hexdigest())' \
    setup.cfg pyproject.toml)"

  # Only one script installs at a time: the lock is on the checkout folder, and ends when descriptor 9 is closed, however
  # we end.
  exec 9<.
  "$python" -c 'import fcntl; fcntl.flock(9, fcntl.LOCK_EX)'
  if [ "$(cat .venv/aegis.stamp 2>/dev/null)" != "$wanted" ]; then
    [ -w . ] || aegis_die "can't write to $PWD, where .venv belongs"
    echo "$(basename "$0"): installing AegisPay into $PWD/.venv; the first time this takes a minute or two" >&2
    if [ "$(head -n 1 .venv/aegis.stamp 2>/dev/null)" != "$place" ]; then
      "$python" -m venv --clear .venv || aegis_die "could not make a virtual environment in $PWD/.venv"
    fi
    # Write only the place first, so that an installation that is cut short is repeated and not mistaken for done.
    echo "$place" >.venv/aegis.stamp
    PIP_ROOT_USER_ACTION=ignore .venv/bin/python -m pip install --quiet --disable-pip-version-check -e '.[dev]' 9<&- ||
      aegis_die "pip could not install AegisPay; its message is above"
    echo "$wanted" >.venv/aegis.stamp
  fi
  exec 9<&-
}

cd "$(dirname "${BASH_SOURCE[0]}")/.."
aegis_install
export PATH="$PWD/.venv/bin:$PATH"
unset PYTHONHOME
# Images often set this. Without compiled modules each of the hundreds of processes that tests start would compile them all.
unset PYTHONDONTWRITEBYTECODE
