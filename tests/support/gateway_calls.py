"""Operations of a gateway that a test waits for."""

from __future__ import annotations

from aegis_worker.lab.conformance.till import sent

__all__ = ["sent"]
