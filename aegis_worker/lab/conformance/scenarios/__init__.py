"""All scenarios, as test functions: a test module that imports * from here runs them at each of its `SUBJECTS`."""

from .after_the_charge import *  # noqa: F403
from .cards_by_number import *  # noqa: F403
from .charges import *  # noqa: F403
from .disputes import *  # noqa: F403
from .spoilt_on_the_way import *  # noqa: F403
from .whose_answer import *  # noqa: F403
