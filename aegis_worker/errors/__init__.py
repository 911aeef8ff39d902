"""Every error that AegisPay raises on purpose, in one tree that says what the caller may do.

`Retryable`: the same call may be made again. `Refused`: the call is wrong as it stands. `OperatorError`: someone has
to change the installation. `ProgrammingError`: a bug; nothing was written. Each branch has a module, refusals have two,
and all are imported from here.
"""

from .operator import *  # noqa: F403
from .programming import *  # noqa: F403
from .refused import *  # noqa: F403
from .refused_to_operators import *  # noqa: F403
from .retryable import *  # noqa: F403
from .tree import *  # noqa: F403
