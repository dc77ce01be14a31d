"""Rewrites advice so that all speech engines read it aloud alike."""

from __future__ import annotations

import re

_SPOKEN_AS: tuple[tuple[str, str], ...] = (
    (r"\[/?[a-z #0-9_]*\]", " "),  # Rich mark-up, if a sentence contains any
    (r"(\d)\s*%", r"\1 percent"),
    (r"(\d)\s*°\s*C\b", r"\1 degrees Celsius"),
    (r"(\d)\s*°", r"\1 degrees"),
    (r"\b1\s*RM\b", "one repetition maximum"),
    (r"(\d)\s*kg\b", r"\1 kilograms"),
    (r"(\d)\s*lbs?\b", r"\1 pounds"),
    (r"(\d)\s*cm\b", r"\1 centimetres"),
    (r"(\d)\s*m\b", r"\1 metres"),
    (r"(\d)\s*min\b", r"\1 minutes"),
    (r"(\d)\s*s\b", r"\1 seconds"),
    (r"(?<![\d.,])1 (degree|kilogram|pound|centimetre|metre|minute|second)s\b", r"1 \1"),
    (r"\b(\d+)\s*/\s*(\d+)\b", r"\1 of \2"),
    (r"(\d)\s*[-\u2013\u2014]\s*(\d)", r"\1 to \2"),  # a range, with any dash; engines say "dash" or nothing
    (r"(\d)\s*[x\u00d7]\s*(\d)", r"\1 times \2"),
    (r"\bt[- ]bar\b", "T bar"),
    (r"\breps\b", "repetitions"),
    (r"\brep\b", "repetition"),
    (r"\babs\b", "abdominals"),  # some voices spell it: A B S
    (r"\bquads\b", "quadriceps"),
    (r"\bvs\.?(?=\s)", "versus"),
    (r"\be\.g\.,?", "for example"),
    (r"\bi\.e\.,?", "that is"),
    (r"\s*&\s*", " and "),
    (r"\s*[\u2013\u2014]\s*", ", "),
    (r"[\"“”*_`#<>|•→✓✗()\[\]{}]", " "),
    (r"…|\.{3,}", "."),
    (r"\s+([,.;:!?])", r"\1"),
    (r"\s+", " "),
)  # fmt: skip


def spoken(text: str) -> str:
    """`text` as it should be read aloud: units, ranges, fractions and gym shorthand spelled out, marks removed.

    Digits stay, because each engine reads numbers in its own language.
    """
    for pattern, words in _SPOKEN_AS:
        text = re.sub(pattern, words, text, flags=re.IGNORECASE)
    return text.strip()
