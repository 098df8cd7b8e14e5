"""Brings recorded histories of other systems in: event logs and agent trajectories, with their original times.

A format is one module (or folder) that turns a file into a stream of histories, purely;
the loader batches, writes, retries and counts them, whatever the format.
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
