"""Hosted runs: `with` blocks that record a run, its stages, questions and tool calls."""
