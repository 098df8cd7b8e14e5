"""The audit log's files: writing and recovering them."""
