"""Benchmarks of this machine. Each figure is measured in the same run as its physical limit, because machines are noisy."""
