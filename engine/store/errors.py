"""What can go wrong with a store, each with a name of its own."""


class StoreError(Exception):
    """Something about a store or a run that the caller must know; the base of the others."""


class RunNotFound(StoreError, KeyError):
    """No run of that id in this store."""

    # KeyError shows the repr of its argument; a sentence must be shown as a sentence.
    __str__ = Exception.__str__


class LayerNotFound(StoreError, KeyError):
    """No layer of that name in this run."""

    __str__ = Exception.__str__


class EpochNotFound(StoreError, KeyError):
    """No snapshot of that epoch in this run."""

    __str__ = Exception.__str__


class RunExists(StoreError):
    """A run of that id is there already."""


class RunLocked(StoreError):
    """Another process is writing this run."""


class RunDamaged(StoreError):
    """What is on the disk is not what a writer of this product put there."""


class StoreFull(StoreError):
    """The disk has no room for the snapshot; everything committed before stays readable."""


class NotDeterministic(StoreError):
    """An epoch that was computed again differs from the one that is stored."""
