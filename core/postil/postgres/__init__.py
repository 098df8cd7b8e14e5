"""PostgreSQL: the schema, and the statements that write and read it."""

from postil.postgres.url import sqlalchemy_url

__all__ = ["sqlalchemy_url"]
