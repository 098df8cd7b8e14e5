"""A workflow to see Postil at work: it reads a folder, decides about each file, asks, and reports; every step is real."""

from postil_stack.demo.workflow import FolderError, Outcome, review

__all__ = ["FolderError", "Outcome", "review"]
