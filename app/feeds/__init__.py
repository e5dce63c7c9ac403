"""What each page computes for every epoch, out of the store and the engine's geometry."""

from typing import Any

from prunescope.app.feeds.after import AfterFeed
from prunescope.app.feeds.alignment import AlignmentFeed
from prunescope.app.feeds.alone import AloneFeed
from prunescope.app.feeds.collapse import CollapseFeed
from prunescope.app.feeds.compare import CompareFeed
from prunescope.app.feeds.curve import CurveFeed
from prunescope.app.feeds.embedding import EmbeddingFeed
from prunescope.app.feeds.frames import FramesFeed
from prunescope.app.feeds.groups import CosinesFeed, GroupsFeed
from prunescope.app.feeds.lowrank import LowRankFeed
from prunescope.app.feeds.overview import OverviewFeed
from prunescope.app.feeds.pair import PairFeed
from prunescope.app.feeds.pruning import PruningFeed
from prunescope.app.feeds.selection import SelectionFeed
from prunescope.app.feeds.similarity import SimilarityFeed
from prunescope.app.feeds.spectrum import SpectrumFeed
from prunescope.app.feeds.structure import StructureFeed
from prunescope.app.feeds.surface import PrunableFeed, SensitivityFeed, SurfaceFeed
from prunescope.app.feeds.sweep import SweepFeed
from prunescope.app.feeds.tickets import TicketsFeed
from prunescope.app.feeds.trajectories import TrajectoriesFeed
from prunescope.app.feeds.unit import UnitDropFeed, UnitFeed

FEEDS: dict[str, Any] = {
    "curve": CurveFeed(),
    "overview": OverviewFeed(),
    "alignment": AlignmentFeed(),
    "trajectories": TrajectoriesFeed(),
    "pruning": PruningFeed(),
    "surface": SurfaceFeed(),
    "sensitivity": SensitivityFeed(),
    "selection": SelectionFeed(),
    "alone": AloneFeed(),
    "after": AfterFeed(),
    "prunable": PrunableFeed(),
    "unit": UnitFeed(),
    "unit-drop": UnitDropFeed(),
    "similarity": SimilarityFeed(),
    "groups": GroupsFeed(),
    "cosines": CosinesFeed(),
    "embedding": EmbeddingFeed(),
    "structure": StructureFeed(),
    "frames": FramesFeed(),
    "collapse": CollapseFeed(),
    "spectrum": SpectrumFeed(),
    "lowrank": LowRankFeed(),
    "pair": PairFeed(),
    "tickets": TicketsFeed(),
    "sweep": SweepFeed(),
    "compare": CompareFeed(),
}
