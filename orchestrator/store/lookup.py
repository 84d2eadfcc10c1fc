"""Finding a sweep by its name."""

from sqlalchemy import Connection, select

from orchestrator.store.models import SweepRecord
from workers.errors import UserError


def sweep_id(connection: Connection, name: str) -> int:
    """The id of the sweep of that name.

    Raises:
        UserError: no such sweep; names the ones there are.
    """
    found = connection.execute(select(SweepRecord.id).where(SweepRecord.name == name)).scalar()
    if found is None:
        names = connection.execute(select(SweepRecord.name).order_by(SweepRecord.name)).scalars().all()
        raise UserError(f"sweep '{name}': " + (f"one of {', '.join(names)}" if names else "the store holds no sweeps yet"))
    return found
