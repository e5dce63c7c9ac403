"""Figures and runs on their way out of the dashboard: files that say where they come from."""
