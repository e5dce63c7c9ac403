"""Before a run starts: whether a dataset that has to be fetched is within reach. Imports no torch."""

import queue
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from prunescope.engine.data.catalog import dataset_spec
from prunescope.engine.data.describe import missing_files

if TYPE_CHECKING:
    from prunescope.engine.config import RunConfig

# A name server that drops packets answers after half a minute; nobody waits that long for a form.
_PATIENCE_SECONDS = 6.0
# Servers that have the file and only dislike being asked without being asked for it.
_STILL_THERE = (405, 501)


def why_out_of_reach(config: "RunConfig") -> str | None:
    """Why the data of a run are neither on this machine nor to be had, with what to put where; else None.

    One question to each mirror at once, none if the files are there. At most six seconds.
    """
    missing = missing_files(config)
    if not missing or not config.download:
        return None
    spec = dataset_spec(config.dataset)
    name = Path(spec.packed_as(spec.files[0])).name
    said = _ask_all([mirror + name for mirror in spec.mirrors])
    return said and absent(config.dataset, missing, spec.mirrors[0], said)


def absent(dataset: str, missing: tuple[Path, ...], source: str, said: str) -> str:
    """What to say when files of a dataset are missing and cannot be fetched: what to put where."""
    packs = {Path(packed).name for packed in dataset_spec(dataset).packed}
    names = ", ".join(path.name for path in missing)
    as_packed = "or each as .gz" if len(packs) > 1 else f"or {packs.pop()} beside that folder"
    return (
        f"{dataset} is not in {missing[0].parent}, and could not be fetched ({said}). "
        f"Put there: {names} ({as_packed}). They come from {source}. "
        "Or name the folder that has them as the data folder; or take digits, which needs no download."
    )


def _ask_all(urls: list[str]) -> str | None:
    """None as soon as one of them answers; else what the first one said."""
    answers: queue.SimpleQueue[tuple[str, str | None]] = queue.SimpleQueue()
    for url in urls:
        # Not joined: looking up a name cannot be broken off.
        threading.Thread(target=lambda url=url: answers.put((url, _ask(url))), daemon=True).start()
    said = dict.fromkeys(urls, f"did not answer in {_PATIENCE_SECONDS:g} s")
    end = time.monotonic() + _PATIENCE_SECONDS
    try:
        for _ in urls:
            url, problem = answers.get(timeout=max(0, end - time.monotonic()))
            if problem is None:
                return None
            said[url] = problem
    except queue.Empty:
        pass
    return f"{urlsplit(urls[0]).hostname}: {said[urls[0]]}"


def _ask(url: str) -> str | None:
    """What is wrong with a source, or None."""
    # Settings are read by every command, and hardly one of them asks the network.
    import urllib.error
    import urllib.request

    request = urllib.request.Request(url, method="HEAD", headers={"User-Agent": "prunescope"})  # noqa: S310 (our list)
    try:
        with urllib.request.urlopen(request, timeout=_PATIENCE_SECONDS):  # noqa: S310
            return None
    except urllib.error.HTTPError as error:
        return None if error.code in _STILL_THERE else f"answers {error.code} {error.reason}"
    except urllib.error.URLError as error:
        return str(getattr(error.reason, "strerror", None) or error.reason)
    except (OSError, ValueError) as error:
        return str(error)
    except Exception as error:  # http.client's own errors are no OSError; whatever it is, it is no source
        return f"{type(error).__name__}: {error}"
