"""The one place that wires: settings into databases, Redis clients, gateways and use cases, once per process.

`web` and `worker` build the parts of a process from settings; `process` keeps those of a worker process; `installation`
is what every process looks at before it starts. Everything else takes what it needs as arguments.
"""
