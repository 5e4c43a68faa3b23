"""Opt-outs: the Do Not Contact list and what puts people on it."""
