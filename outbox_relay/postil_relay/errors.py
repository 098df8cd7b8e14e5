"""Why the relay refuses to start, or stops."""

from __future__ import annotations

from postil.errors import PostilError


class LeaseLost(PostilError):
    """Another relay owns the lanes now; this one becomes a standby."""


class HotStandby(PostilError):
    """The server is a hot standby: its snapshots do not name the transactions in progress, so events would be missed."""


class ForeignLog(PostilError):
    """The cursors were made on another server, or in a future this server was restored from before."""
