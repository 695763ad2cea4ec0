"""Options that count something."""


def positive_int(text: str) -> int:
    """Make the number; one below 1 is refused before the run."""
    number = int(text)
    if number < 1:
        raise ValueError("it must be at least 1")
    return number
