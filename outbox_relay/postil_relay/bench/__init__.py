"""Measures the relay, beside what the same machine can do without it."""
