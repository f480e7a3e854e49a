"""Faults as they come in operation, with the real programs."""
