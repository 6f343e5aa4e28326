"""Keyed hashes (HMAC-SHA256) that stand for a customer: without the key nobody can tell, or try out, whose they are."""

from __future__ import annotations

import hmac

from segmentation.config import Settings
from segmentation.errors import MissingPrivacyKey

#: Bytes of a pseudonym: two customers of a billion share one with a chance below 1e-20.
_PSEUDONYM_BYTES = 16
_CHECK_BYTES = 4


def privacy_key(settings: Settings, what: str) -> bytes:
    """Return the key.

    Parameters
    ----------
    settings : Settings
        All settings.
    what : str
        What needs it, for the error.

    Raises
    ------
    MissingPrivacyKey
        If there is none.
    """
    if settings.privacy.key is None:
        raise MissingPrivacyKey(what)
    return settings.privacy.key.get_secret_value().encode()


def pseudonym(key: bytes, column: str, value: str) -> str:
    """Return what stands for a value in the lake: the same in every table that has the column, 32 hex digits.

    Examples
    --------
    >>> pseudonym(b"k" * 32, "customer_id", "17") == pseudonym(b"k" * 32, "customer_id", "17")
    True
    >>> pseudonym(b"k" * 32, "customer_id", "17") == pseudonym(b"k" * 32, "session_id", "17")
    False
    """
    return _hash(key, f"pseudonym\0{column}\0{value}")[:_PSEUDONYM_BYTES].hex()


def erasure_mark(key: bytes, customer_id: str) -> str:
    """Return by what an erased customer is recognised when the shop still has rows of them, 64 hex digits."""
    return _hash(key, f"erased\0{customer_id}").hex()


def key_check(key: bytes) -> str:
    """Return what tells one key from another without revealing it, 8 hex digits."""
    return _hash(key, "check")[:_CHECK_BYTES].hex()


def _hash(key: bytes, message: str) -> bytes:
    return hmac.digest(key, message.encode(), "sha256")
