"""No defence."""

from workers.defences.base import Defence
from workers.registry import defence


@defence(around=False, name="none")
class Undefended(Defence):
    """Changes nothing."""
