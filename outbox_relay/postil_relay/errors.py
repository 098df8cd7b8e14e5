"""The errors for which the relay refuses to start, or stops publishing."""

from __future__ import annotations

from postil.errors import PostilError


class LeaseLost(PostilError):
    """Another relay owns the lanes now; this one stands by."""


class HotStandby(PostilError):
    """The server is a hot standby. Its snapshots do not list the transactions in progress, so events would be missed."""


class ForeignLog(PostilError):
    """The saved cursors belong to another server, or to a later time than the one this server was restored to."""
