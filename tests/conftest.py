"""Hides the developer's own environment from the tests, and names the fixture modules in ``tests/fixtures``."""

from __future__ import annotations

import os

# A developer's own settings, files and running stack must not affect a test.
for name in [name for name in os.environ if name.startswith(("POSTIL_", "PG"))]:
    del os.environ[name]
os.environ["POSTIL_DATA_DIR"] = "/nonexistent/postil-tests"
os.environ["POSTIL_CONFIG"] = os.devnull

pytest_plugins = ["fixtures.servers", "fixtures.browser", "fixtures.writing", "fixtures.command_line"]
