"""The version of the client, which is that of the API it was written for."""

VERSION = "0.1.0"
