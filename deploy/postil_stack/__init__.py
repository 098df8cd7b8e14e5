"""Real PostgreSQL and real Apache Kafka on a machine that has nothing but Python, and the stack that runs on them."""
