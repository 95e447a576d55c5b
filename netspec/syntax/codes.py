"""The codes of what can be wrong with a text before it has any meaning: one line each, the list that `explain` extends."""

from __future__ import annotations

from typing import Final

CODES: Final[dict[str, str]] = {
    "E0001": "a word or symbol stands where the language does not allow it, often because a bracket before it is still open",
    "E0002": "a string does not end on the line where it starts",
    "E0003": "a character that the language does not use outside of strings and comments",
    "E0004": "`x = ..` in a body: a value is labelled with `x: ..`, a constant written with `let x = ..`",
    "E0005": "a branch of a merge is empty: the identity is written `skip`",
    "E0006": "a keyword is used as a name",
    "E0007": "the file declares nothing",
    "E0501": "the source is larger than 256 KiB",
    "E0502": "brackets, operators or bodies are nested too deeply",
    "E0505": "a number has more than 18 digits, or an exponent of more than two",
}
"""E0503 and E0504 are limits of expansion and of layers, and belong to the elaborator."""
