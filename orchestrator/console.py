"""Unformatted console output, and the format of durations."""

from rich.console import Console

from orchestrator.escaping import visible


def say(console: Console, text: str) -> None:
    """Print a line without markup, control characters, colours or wrapping (so that a command in it can be copied)."""
    console.print(visible(text, keep="\n"), markup=False, highlight=False, soft_wrap=True)


def clock(seconds: float) -> str:
    """Format seconds as `1:02:03` or `2:03`."""
    hours, rest = divmod(round(seconds), 3600)
    return f"{hours}:{rest // 60:02}:{rest % 60:02}" if hours else f"{rest // 60}:{rest % 60:02}"
