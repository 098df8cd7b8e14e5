"""The relay: publishes the event log to Kafka, in order per run, nothing lost."""
