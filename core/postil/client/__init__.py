"""The client: `Postil`, `AsyncPostil`, and writing in the caller's transaction."""
