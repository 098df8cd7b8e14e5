"""The live feed: Kafka's events as server-sent events, resumed without a gap and without a repeat."""
