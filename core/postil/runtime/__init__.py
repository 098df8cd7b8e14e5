"""What every long-running program shares: logs, readiness and failpoints."""
