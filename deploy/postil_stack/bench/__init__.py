"""Measures this machine: each figure beside its physical limit, in the same run, because machines are noisy."""
