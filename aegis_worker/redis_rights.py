"""What AegisPay needs to be allowed in Redis, for a user of its own with no more than that; how to find what is missing.

Rights are tried inside a transaction that is never carried out: Redis refuses a command there as it does anywhere, and
changes nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from redis import Redis, ResponseError
from redis.exceptions import NoPermissionError

_KEY = "aegis:rights"
# Tried outside of a transaction, where they do nothing.
_OUTSIDE = ("EXEC", "DISCARD")

# Of commands to workers. Redis wants the very text of a pattern that is subscribed to, so it can't be a wider one; the
# number is the database's.
_CHANNEL = "/{db}.celery.pidbox"
# Each with arguments that Redis takes. Ours for locks, gates, hints, ticks and the stream; Celery's for queues, messages
# that are being worked on, and commands to workers.
_COMMANDS: Mapping[str, tuple[str, ...]] = {
    "PING": (),
    "INFO": (),
    "TIME": (),
    "SELECT": ("0",),
    "CLIENT|SETINFO": ("LIB-NAME", "aegis"),
    "MULTI": (),
    "EXEC": (),
    "DISCARD": (),
    "WATCH": (_KEY,),
    "UNWATCH": (),
    "EVAL": ("return 1", "0"),
    "EVALSHA": ("0" * 40, "0"),
    "SCRIPT|EXISTS": ("0" * 40,),
    "SCRIPT|LOAD": ("return 1",),
    "GET": (_KEY,),
    "SET": (_KEY, "1"),
    "DEL": (_KEY,),
    "EXISTS": (_KEY,),
    "EXPIRE": (_KEY, "1"),
    "PEXPIRE": (_KEY, "1"),
    "INCRBY": (_KEY, "1"),
    "HGET": (_KEY, "a"),
    "HMGET": (_KEY, "a"),
    "HGETALL": (_KEY,),
    "HLEN": (_KEY,),
    "HSET": (_KEY, "a", "1"),
    "HDEL": (_KEY, "a"),
    "HINCRBY": (_KEY, "a", "1"),
    "LLEN": (_KEY,),
    "LPUSH": (_KEY, "a"),
    "RPUSH": (_KEY, "a"),
    "RPOP": (_KEY,),
    "BRPOP": (_KEY, "1"),
    "LRANGE": (_KEY, "0", "1"),
    "LTRIM": (_KEY, "0", "1"),
    "SADD": (_KEY, "a"),
    "SREM": (_KEY, "a"),
    "SMEMBERS": (_KEY,),
    "ZADD": (_KEY, "1", "a"),
    "ZREM": (_KEY, "a"),
    "ZCARD": (_KEY,),
    "ZCOUNT": (_KEY, "0", "1"),
    "ZMSCORE": (_KEY, "a"),
    "ZRANGE": (_KEY, "0", "1"),
    "ZREVRANGE": (_KEY, "0", "1"),
    "ZRANGEBYSCORE": (_KEY, "0", "1"),
    "ZREMRANGEBYSCORE": (_KEY, "0", "1"),
    "XADD": (_KEY, "*", "a", "1"),
    "XTRIM": (_KEY, "MAXLEN", "1"),
    "PUBLISH": (_CHANNEL, "{}"),
    "SUBSCRIBE": (_CHANNEL,),
    "UNSUBSCRIBE": (),
    "PSUBSCRIBE": (_CHANNEL,),
    "PUNSUBSCRIBE": (),
}
# A pattern, and a key of it.
_KEYS: Mapping[str, str] = {
    "aegis:*": _KEY,
    "payments*": "payments",
    "verify*": "verify",
    "outbox*": "outbox",
    "maintenance*": "maintenance",
    "unacked*": "unacked",
    "_kombu.*": "_kombu.binding.aegis",
    "*.celery.pidbox*": "rights.reply.celery.pidbox",
}
# Of no use but for people who look.
_ONLY_LOOKED_AT = {"INFO"}


@dataclass(frozen=True, slots=True)
class Missing:
    """What a user may not: commands, patterns of keys and of channels."""

    commands: list[str] = field(default_factory=list)
    keys: list[str] = field(default_factory=list)
    channels: list[str] = field(default_factory=list)

    def __bool__(self) -> bool:
        return bool(self.commands or self.keys or self.channels)

    @property
    def keeps_from_working(self) -> bool:
        """Whether more is missing than what only `aegis doctor` asks for."""
        return bool(self.keys or self.channels or set(self.commands) - _ONLY_LOOKED_AT)

    def __str__(self) -> str:
        parts = [
            f"{what} {', '.join(names)}"
            for what, names in (
                ("run", self.commands),
                ("use keys", self.keys),
                ("use channels", self.channels),
            )
            if names
        ]
        untried = " (without it the others can't be tried)" if "MULTI" in self.commands else ""
        return f"the user of REDIS_URL may not {'; may not '.join(parts)}{untried}"

    def grant(self, user: str, db: int = 0) -> str:
        """The command that gives it; all that is needed where the rest could not be tried."""
        rules = (
            _all_rules(db) if "MULTI" in self.commands else _rules(self.commands, self.keys, self.channels)
        )
        return " ".join(["ACL SETUSER", user, *rules])


def least_rights(user: str, password: str, db: int = 0) -> str:
    """The command that makes a user who may do what AegisPay does in that database, and nothing else."""
    return " ".join(["ACL SETUSER", user, "reset", "on", f">{password}", *_all_rules(db)])


def missing_rights(redis: Redis) -> Missing:
    """What the client's user lacks. Raises redis.RedisError where Redis can't be asked."""
    connection, missing, channel = (
        redis.connection_pool.get_connection(),
        Missing(),
        _CHANNEL.format(db=_db(redis)),
    )
    try:
        missing.commands.extend(command for command in _OUTSIDE if _refusal(connection, command))
        if _refusal(connection, "MULTI"):
            missing.commands.append("MULTI")  # outside of a transaction the others would be carried out
            return missing
        for command, arguments in _COMMANDS.items():
            if command in (*_OUTSIDE, "MULTI"):
                continue
            given = [channel if argument == _CHANNEL else argument for argument in arguments]
            refused = _refusal(connection, *command.split("|"), *given)
            if refused == "command":
                missing.commands.append(command)
            elif refused == "channel" and not missing.channels:
                missing.channels.append(channel)
        for pattern, key in _KEYS.items():
            if "key" in (_refusal(connection, "DEL", key), _refusal(connection, "LLEN", key)):
                missing.keys.append(pattern)
        return missing
    finally:
        connection.disconnect()  # the transaction goes with it
        redis.connection_pool.release(connection)


def grant(redis: Redis, missing: Missing) -> str:
    """The command that gives the client's user what it lacks."""
    return missing.grant(
        str(redis.connection_pool.connection_kwargs.get("username") or "default"), _db(redis)
    )


def _db(redis: Redis) -> int:
    return int(redis.connection_pool.connection_kwargs.get("db") or 0)


def is_refusal(error: BaseException) -> bool:
    """Whether Redis refuses for want of a right. A refused EXEC is told as a transaction that was given up."""
    return isinstance(error, NoPermissionError) or (
        isinstance(error, ResponseError) and "NOPERM" in str(error)
    )


def _refusal(connection: Any, *command: str) -> str | None:
    """What is lacking for a command: the right to the `command`, the `key` or the `channel`."""
    connection.send_command(*command)
    try:
        connection.read_response()
    except ResponseError as error:
        # Not in a transaction, or not with these arguments: it is allowed, and that was the question.
        if is_refusal(error):
            said = str(error)
            return "command" if "run the '" in said else "channel" if "channel" in said else "key"
    return None


def _rules(commands: list[str], keys: list[str], channels: list[str]) -> list[str]:
    return [
        *(f"~{pattern}" for pattern in keys),
        *(f"&{pattern}" for pattern in channels),
        *(f"+{command.lower()}" for command in commands),
    ]


def _all_rules(db: int) -> list[str]:
    return _rules(list(_COMMANDS), list(_KEYS), [_CHANNEL.format(db=db)])
