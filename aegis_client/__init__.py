"""AegisPay's client: typed, for threads and for asyncio.

Refusals are exceptions by code (`problems`), answers are plain dictionaries with types (`models`), and `webhooks` checks
what is posted to you.
"""

from . import problems, webhooks
from .calls import Answer
from .client import AsyncClient, Client
from .errors import AegisPayError, ApiError, InvalidWebhook, NotAnswered, UnexpectedAnswer
from .flows import Retries
from .version import VERSION

__all__ = [
    "AegisPayError",
    "Answer",
    "ApiError",
    "AsyncClient",
    "Client",
    "InvalidWebhook",
    "NotAnswered",
    "Retries",
    "UnexpectedAnswer",
    "problems",
    "webhooks",
]

__version__ = VERSION
