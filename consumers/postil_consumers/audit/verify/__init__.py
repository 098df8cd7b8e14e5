"""Verification of an audit log's files."""
