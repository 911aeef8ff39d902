"""What payments, jobs, gateways … look like to whoever reads, over HTTP and at the command line: plain dicts for JSON."""
