"""Reads for the API and the command line. Each names the merchant; None, for operators, means any merchant."""
