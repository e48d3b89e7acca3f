"""How long work says how far it is."""

from collections.abc import Callable

Report = Callable[[str, int, int | None], None]
"""Called with a stage, how much of it is done, and how much there is if that is known; may raise to
cancel."""


def report_nothing(stage: str, done: int, total: int | None) -> None:
    """Report nothing."""
