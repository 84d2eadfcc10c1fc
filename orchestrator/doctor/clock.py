"""Comparison of clocks: nothing breaks where they differ, but times in the database and in logs are inconsistent."""

from orchestrator.doctor.check_result import CheckResult

ALLOWED = 5.0
"""Largest difference without a warning, in seconds."""


def compare_clocks(there: float, here: float, *, whose: str) -> list[CheckResult]:
    """Compare two clocks in one line; both are seconds of the epoch, read at the same moment."""
    difference = there - here
    if abs(difference) <= ALLOWED:
        return [CheckResult("ok", "clock", f"{whose} is that of this machine to within {ALLOWED:g} s")]
    found = f"{whose} is {abs(difference):,.0f} s {'ahead of' if difference > 0 else 'behind'} this machine's"
    return [CheckResult("warning", "clock", found, "set both by a time server (NTP): recorded times would be inconsistent")]
