"""Characters that a terminal does not show, or that steer it."""

import unicodedata

HIDDEN = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}
JOINERS = "\u200c\u200d\ufe0f"


def hidden(text: str) -> list[str]:
    return [one for one in text if unicodedata.category(one) in HIDDEN and one not in JOINERS]
