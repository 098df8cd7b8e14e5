"""Queries of the history as SQL statements."""
