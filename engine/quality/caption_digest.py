"""The digest of a caption: what a score belongs to."""

from hashlib import blake2b

SIZE = 8
"""Bytes of a digest. Among the captions of one image, two share one with a probability of 1e-17."""


def caption_digest(text: str) -> str:
    """Return the digest of a caption: BLAKE2b (RFC 7693) of its UTF-8, 8 bytes as 16 hex digits.

    Every text has one: lone surrogates are encoded as UTF-8 would (`surrogatepass`).
    """
    return blake2b(text.encode("utf-8", "surrogatepass"), digest_size=SIZE).hexdigest()
