"""Fetch a file whose checksum is known, telling how far it is."""

import hashlib
import http.client
import os
import urllib.request
from collections.abc import Sequence
from pathlib import Path

from prunescope.engine.data.dataset import Progress

_CHUNK = 1 << 18
# Long enough for a slow answer; a dead network must not hang a queue of runs.
_TIMEOUT_SECONDS = 30


class FetchError(OSError):
    """No source gave the file; the message says what each of them said."""


def fetch(urls: Sequence[str], path: Path, md5: str, progress: Progress | None = None) -> None:
    """Download to `path` from the first source that gives the right file, unless it is there already.

    The file appears under its name only when whole and right: a killed download leaves a `.part`.
    Without any source, only what is there already is taken.

    Raises
    ------
    FetchError
    """
    if path.is_file() and _md5(path) == md5:
        return
    if not urls:
        raise FetchError("downloading is switched off")
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f"{path.name}.{os.getpid()}.part")
    said = []
    try:
        for url in urls:
            try:
                _stream(url, part, progress)
            # HTTPException: a connection that breaks midway is no OSError.
            except (OSError, http.client.HTTPException) as error:
                said.append(f"{url}: {error}")
                continue
            if _md5(part) == md5:
                part.replace(path)
                return
            said.append(f"{url}: gave another file than expected (checksum differs)")
    finally:
        part.unlink(missing_ok=True)
    raise FetchError("; ".join(said))


def _stream(url: str, path: Path, progress: Progress | None) -> None:
    request = urllib.request.Request(url, headers={"User-Agent": "prunescope"})  # noqa: S310 (our own list)
    with urllib.request.urlopen(request, timeout=_TIMEOUT_SECONDS) as answer, path.open("wb") as file:  # noqa: S310
        total = int(answer.headers.get("Content-Length") or 0)
        done = 0
        while chunk := answer.read(_CHUNK):
            file.write(chunk)
            done += len(chunk)
            if progress is not None:
                progress(url.rsplit("/", 1)[-1], done, total)
    # Read in pieces, a connection that ends early looks like the end of the file.
    if done < total:
        raise FetchError(f"broke off after {done:,} of {total:,} bytes")


def _md5(path: Path) -> str:
    # The sums that the datasets publish; they guard against damage, not against malice.
    digest = hashlib.md5(usedforsecurity=False)
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()
