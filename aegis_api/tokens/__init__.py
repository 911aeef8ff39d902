"""Tokens for cards: the card vault over HTTP."""
