"""The ground floor: runs and what happens in them, annotations, the log, and the relay's cursors."""

from alembic import op

from postil.postgres.migrate import install_tables

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Create the tables in the order their files are numbered."""
    install_tables(
        op.get_bind(),
        "00_identity.sql",
        "05_receipt.sql",
        "10_run.sql",
        "20_annotation.sql",
        "30_event.sql",
        "40_relay.sql",
        "50_append_only.sql",
    )
