"""The process that serves the API: `python -m aegis_api.server`.

Granian speaks HTTP and holds the connections. It hands each request to the front, which reads the body without a thread
and lets one of a fixed number of threads run the WSGI application.
"""
