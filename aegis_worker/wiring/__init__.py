"""The one place that turns settings into databases, Redis clients, gateways and use cases, once per process.

`web` and `worker` build the parts of a process from settings; `process` holds the parts of a worker process;
`installation` has the checks that every process makes before it starts. All other code gets what it needs as arguments.
"""
