"""Measured answers about recorded networks, from a process that keeps torch out of the dashboard's."""
