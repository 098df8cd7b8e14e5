"""PostgreSQL: the schema, the write functions, and the only code that talks to them."""

from postil.postgres.url import sqlalchemy_url

__all__ = ["sqlalchemy_url"]
