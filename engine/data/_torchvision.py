"""Import torchvision where its compiled operators do not fit the installed torch.

A CPU-only torch beside the torchvision built for graphics cards is a common pair on machines without
one: `import torchvision` then ends in "operator torchvision::nms does not exist". Nothing here needs
those operators (they suppress overlapping boxes); the datasets are plain Python. Declaring the missing
names, without an implementation, is enough for the import, and a call would still fail loudly.
"""

import importlib
import sys
import threading
from types import ModuleType
from typing import Any

import torch

_BOXES = "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor"
# What torchvision 0.19 to 0.28 describes at import without looking whether it is there.
_DECLARED_AT_IMPORT = ("nms", "qnms")

_lock = threading.Lock()
# A library that nobody holds withdraws its operators.
_kept: list[Any] = []


def import_torchvision() -> ModuleType:
    """torchvision with `torchvision.datasets` loaded, after a repair when it is needed.

    Raises
    ------
    ImportError
        When it is missing, or fails for another reason; saying what to install.
    """
    with _lock:
        try:
            return _import()
        except ImportError as error:
            raise ImportError(f"torchvision cannot be imported ({error}): pip install torchvision") from error
        except RuntimeError as error:
            if "operator torchvision::" not in str(error):
                raise ImportError(f"torchvision does not fit this torch ({error}): reinstall it") from error
        _declare_missing_operators()
        # The failed import leaves submodules behind that a second one would trust.
        for name in [name for name in sys.modules if name.partition(".")[0] == "torchvision"]:
            del sys.modules[name]
        return _import()


def _import() -> ModuleType:
    importlib.import_module("torchvision.datasets")
    return sys.modules["torchvision"]


def _declare_missing_operators() -> None:
    open_library: Any = torch.library.Library
    library = open_library("torchvision", "FRAGMENT")
    for name in _DECLARED_AT_IMPORT:
        if not hasattr(torch.ops.torchvision, name):
            library.define(name + _BOXES)
    _kept.append(library)
