"""The demonstration: a real workflow that reads a folder, decides about each file, asks for approval, and writes a report."""

from postil_stack.demo.workflow import FolderError, Outcome, review

__all__ = ["FolderError", "Outcome", "review"]
