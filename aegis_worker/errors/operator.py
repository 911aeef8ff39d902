"""Someone has to change the installation."""

from __future__ import annotations

from .tree import OperatorError


class ConfigurationError(OperatorError):
    """A setting or configuration file is missing or wrong; the message names it."""

    code = "configuration_error"


class CannotUnseal(OperatorError):
    """A sealed text can't be opened: its key is not in the ring, or it was changed or moved to another place."""

    code = "cannot_unseal"


class SchemaUnfit(OperatorError):
    """The database's schema is not one that this code can work with; the message says what to do."""

    code = "schema_unfit"


class StackFailed(OperatorError):
    """An embedded server or a child process did not start; the message ends with its log."""

    code = "stack_failed"


class EmulatorNotStarted(OperatorError):
    """The emulator can't have a port or its folder; the message says which and why."""

    code = "emulator_not_started"
