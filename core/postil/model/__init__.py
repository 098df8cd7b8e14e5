"""The model: what runs and annotations are. Pure, without I/O."""
