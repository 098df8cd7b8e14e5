"""Importers: event logs and agent trajectories become runs, with their original times.

Each format is one module or folder. It reads a file and yields histories, without a database.
The loader is the same for all formats: it batches, writes, retries and counts.
"""

from postil.importers.errors import BadCase, InputUnreadable, MalformedInput
from postil.importers.formats import FORMATS, Format, format_of
from postil.importers.histories import Actor, History, Options, Parsed, Step
from postil.importers.loader import import_file
from postil.importers.report import FileReport, Problem

__all__ = [
    "FORMATS",
    "Actor",
    "BadCase",
    "FileReport",
    "Format",
    "History",
    "InputUnreadable",
    "MalformedInput",
    "Options",
    "Parsed",
    "Problem",
    "Step",
    "format_of",
    "import_file",
]
