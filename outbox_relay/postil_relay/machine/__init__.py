"""The relay's decisions: reports go in, commands come out. No module of this package does I/O or reads a clock."""
