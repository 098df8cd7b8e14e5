"""Trajectories of coding agents (``.traj`` of SWE-agent, JSON): a trajectory becomes a run, its steps become tool calls."""

from postil.importers.traj.mapping import read

__all__ = ["read"]
