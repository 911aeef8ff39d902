"""The JSON forms of payments, jobs, gateways and everything else that is read, shared by the API and the command line.

They are plain functions from our types to dicts, one for each object, and know nothing of HTTP.
"""
