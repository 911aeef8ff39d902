"""The JSON forms of payments, jobs, gateways and all else that is read: the API and the command line show the same.

Plain functions from our types to dicts, one for each object. They know nothing of HTTP.
"""
