"""Turns commands into the SQL statements that carry them out. Nothing here talks to a database."""

from postil.postgres.writes.functions import write_statement

__all__ = ["write_statement"]
