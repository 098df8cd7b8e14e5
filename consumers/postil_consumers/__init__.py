"""Consumers: the run_seq rule, the audit log and the live dashboard."""
