"""The digest of a caption."""

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.quality.caption_digest import caption_digest


@pytest.mark.parametrize(
    ("text", "digest"),
    [
        ("", "e4a6a0577479b2b4"),
        ("a red disc", "602e9ee048f3b445"),
        ("ein Hündchen 🐶", "6e0ede1e23b71636"),
        ("\ud800", "4208783e927d0d68"),
    ],
)
def test_a_digest_never_changes(text: str, digest: str) -> None:
    """Score logs hold digests, so that a version with other ones would score everything anew."""
    assert caption_digest(text) == digest


@given(st.text(st.characters(codec=None), max_size=50))
def test_every_text_has_one(text: str) -> None:
    data = text.encode("utf-8", "surrogatepass")
    assert caption_digest(text) == hashlib.blake2b(data, digest_size=8).digest().hex()
