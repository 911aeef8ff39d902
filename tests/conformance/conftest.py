"""Each scenario is run at each gateway; at the end of the run a table says which is green, and why one was skipped."""

from aegis_worker.lab.conformance.plugin import *  # noqa: F403
