"""Calls over HTTP: the client that makes them, and the driver that makes those which a gateway's adapter asks for."""
