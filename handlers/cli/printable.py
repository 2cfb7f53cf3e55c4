"""Text of somebody else's on a terminal: a key may hold what clears a screen or turns a line round."""


def printable(text: str) -> str:
    """The text with every character that is not printable written as its escape."""
    return "".join(one if one.isprintable() else one.encode("unicode_escape").decode() for one in text)
