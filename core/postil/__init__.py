"""Postil: a provable record of what runs decided, written in the caller's own transaction."""
