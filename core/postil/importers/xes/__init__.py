"""Event logs in XES (IEEE 1849-2016): a case becomes a run, its events become stages with their actors."""

from postil.importers.xes.mapping import read

__all__ = ["read"]
