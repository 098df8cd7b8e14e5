"""What every long-running program shares: logs, signals, retries and failpoints."""
