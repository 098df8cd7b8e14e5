"""The first tables: runs and what happens in them, annotations, the event log, and the relay's cursors."""

from alembic import op

from postil.postgres.migrate import install_tables

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Create the types, and the tables in the order in which they refer to each other."""
    install_tables(
        op.get_bind(),
        "types/receipt.sql",
        "types/fault.sql",
        "types/new_event.sql",
        "tables/uuidv7.sql",
        "tables/run.sql",
        "tables/annotation.sql",
        "tables/event.sql",
        "tables/relay.sql",
        "tables/append_only.sql",
    )
