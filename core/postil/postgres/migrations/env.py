"""Alembic's entry: runs the revisions on the connection `postil.postgres.migrate` holds."""

from alembic import context

context.configure(
    connection=context.config.attributes["connection"],
    version_table_schema="postil",
    transaction_per_migration=False,
)
context.run_migrations()
