"""The servers the stack starts: PostgreSQL and Kafka, with what they need of the machine."""
