"""The HTTP API: a thin Flask door into the use cases of aegis_worker."""
