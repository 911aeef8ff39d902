"""How the sandbox words what goes wrong at its gateway."""

from __future__ import annotations

from .replies import Refusal, Reply, error


class SandboxWording:
    """Errors in the sandbox's own form."""

    def failed(self, *, done: bool) -> Reply:
        """A 500, which does not say whether the call was carried out."""
        return error(500, "internal_error", "something went wrong here")

    def unavailable(self) -> Reply:
        """A 503."""
        return error(503, "unavailable", "the gateway is not available")

    def unauthorized(self) -> Reply:
        """The API key is refused."""
        return error(401, "invalid_api_key", "send Authorization: Bearer <key>")

    def busy(self) -> Reply:
        """The first call with this key is still under way."""
        return error(409, "key_in_use", "the first call with this key is still under way")

    def too_many(self, retry_after_s: int) -> Reply:
        """A 429."""
        return error(429, "rate_limited", "too many requests", retry_after_s)

    def misspelt(self, message: str) -> Refusal:
        """A script that is not there."""
        return Refusal(400, "unknown_script", message)
