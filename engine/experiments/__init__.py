"""Experiments: recipes made of runs; a queue that survives; what came of them.

Nothing here imports torch but `task`, which runs in the workers.
"""
