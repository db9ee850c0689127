"""Probes of a start or of a finished run."""
