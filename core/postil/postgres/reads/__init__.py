"""Reads as SQL statements. Nothing here talks to a database."""
