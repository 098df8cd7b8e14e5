"""`postil verify`: walks the log in Postgres and checks that Kafka and the audit log hold the same, byte for byte.

The snapshot of Postgres comes first: what is in it is required everywhere else; what is newer is allowed there.
Each event's bytes are compared by their SHA-256, in a temporary SQLite file, so memory does not grow with the log.
"""
