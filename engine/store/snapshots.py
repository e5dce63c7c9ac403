"""Snapshots out of the database and its value files, each checked before it is believed."""

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from prunescope.engine.store import files, keys, records
from prunescope.engine.store.errors import RunDamaged, StoreError
from prunescope.engine.store.layers import LayerInfo
from prunescope.engine.store.reading import Database, ValueFile

_RAW, _BINARY = 1, 2
_THREADS = min(4, os.cpu_count() or 1)
_WORTH_THREADS = 16 << 20
_RANGE = "SELECT key, mode, filename, value FROM Cache WHERE key BETWEEN ? AND ? AND raw=1 ORDER BY key"
Value = Sequence[Any]  # mode, filename, value


def read_rows(database: Database, layer: LayerInfo, index: int, epochs: Sequence[int]) -> NDArray[np.float32]:
    """Weight vectors of one layer at these epoch keys, shape (epochs, units, fan_in).

    `epochs` are all committed ones from the first to the last of them: one range of keys.
    Every size is compared before anything is allocated.
    """
    found = database.select(_RANGE, (keys.weights_key(index, epochs[0]), keys.weights_key(index, epochs[-1])))
    wanted = [keys.weights_key(index, epoch) for epoch in epochs]
    present = {key for key, *_ in found}
    if [key for key, *_ in found] != wanted:
        missing = next(
            (epoch for epoch, key in zip(epochs, wanted, strict=True) if key not in present), epochs[0]
        )
        raise RunDamaged(f"{_what(database, layer, missing)} is missing")
    shape = (layer.units, layer.fan_in)
    size = records.rows_size(layer.dtype, shape)
    jobs = []
    for epoch, (_, *value) in zip(epochs, found, strict=True):
        what = _what(database, layer, epoch)
        header = records.rows_header(layer.dtype, index, epoch, shape)
        jobs.append((_source(database, value, size, what), header, what))
    # A stranger's rows may all name one small file, and claim terabytes.
    paths = [source.path for source, *_ in jobs if isinstance(source, ValueFile)]
    if len(set(paths)) != len(paths):
        raise RunDamaged(f"{_what(database, layer, epochs[0])}: several epochs share one file")
    rows = np.empty((len(epochs), *shape), np.float32)

    def read(at: int) -> None:
        _read_into(rows[at], *jobs[at])

    if len(jobs) * size > _WORTH_THREADS:
        with ThreadPoolExecutor(_THREADS) as pool:  # reads and checksums leave the interpreter's lock
            list(pool.map(read, range(len(jobs))))
    else:
        for at in range(len(jobs)):
            read(at)
    return rows


def read_all(database: Database, layers: Sequence[LayerInfo], epoch: int) -> dict[str, NDArray[Any]]:
    """Every tensor of one epoch, by its name and in the order of the state dict."""
    what = f"{database.folder.parent.name}: tensors of epoch {keys.key_epoch(epoch):g}"
    key = keys.state_key(epoch)
    rows = database.select(_RANGE, (key, key))
    if len(rows) != 1:
        raise RunDamaged(f"{what} are missing")
    others, order = records.unpack_bundle(value_bytes(database, rows[0][1:], what), what, epoch)
    arrays: dict[str, NDArray[Any]] = {
        layer.weight_name: read_rows(database, layer, index, [epoch])[0].reshape(layer.shape)
        for index, layer in enumerate(layers)
    }
    arrays.update(others)  # an exact copy in the model's own dtype goes before the float32 rows
    return {name: arrays[name] for name in [*order, *arrays] if name in arrays}


def unpack_declaration(data: bytes, run: str) -> tuple[tuple[LayerInfo, ...], dict[str, Any]]:
    """Layers and meta as the writer declared them."""
    what = f"{run}: declaration of the layers"
    declared = records.unpack_json(data, what)
    try:
        return tuple(LayerInfo.from_dict(layer) for layer in declared["layers"]), dict(declared["meta"])
    except (StoreError, KeyError, TypeError, ValueError, AttributeError) as error:
        raise RunDamaged(f"{what}: {error}") from None


def read_examples(path: Path) -> tuple[NDArray[Any], NDArray[Any]] | None:
    """Inputs and targets kept with a run, or None if there are none."""
    what = f"{path.parent.name}/{path.name}"
    try:
        handle = files.open_regular(path)
    except FileNotFoundError:
        return None
    with os.fdopen(handle, "rb") as file:
        data = records.read_file(file, os.fstat(handle).st_size, what)
    arrays, _ = records.unpack_bundle(data, what, records.NO_EPOCH)
    if set(arrays) != {"inputs", "targets"}:
        raise RunDamaged(f"{what}: holds {sorted(arrays)}, not inputs and targets")
    return arrays["inputs"], arrays["targets"]


def value_bytes(database: Database, value: Value, what: str) -> bytes:
    """All bytes of a value, from the row or from its file; a pickled one is refused."""
    mode, filename, inline = value
    if mode == _RAW and isinstance(inline, bytes):
        return inline
    if mode != _BINARY:
        raise RunDamaged(f"{what}: a value of mode {mode!r}, which is not read; only plain bytes are")
    found = database.value_file(filename)
    with os.fdopen(_open(found.path, what), "rb") as file:
        return records.read_file(file, found.size, what)


def _source(database: Database, value: Value, size: int, what: str) -> bytes | ValueFile:
    """The bytes of a value, or its file; either of exactly `size` bytes."""
    mode, filename, _ = value
    source: bytes | ValueFile
    if mode == _BINARY:
        source = database.value_file(filename)
        found = source.size
    else:
        source = value_bytes(database, value, what)
        found = len(source)
    if found != size:
        raise RunDamaged(
            f"{what}: {found} bytes where {size} belong; it is cut or not a snapshot of this layer"
        )
    return source


def _read_into(
    out: NDArray[np.float32], source: bytes | ValueFile, header: records.Header, what: str
) -> None:
    """Read one record into ``out``, shape (units, fan_in), and check it."""
    head, tail = bytearray(records.HEADER_SIZE), bytearray(records.TRAILER_SIZE)
    size = len(source) if isinstance(source, bytes) else source.size
    halved = header.content == records.HALF_ROWS
    payload = memoryview(bytearray(size - records.OVERHEAD)) if halved else out.data.cast("B")
    if isinstance(source, bytes):
        head[:], tail[:] = source[: len(head)], source[-len(tail) :]
        payload[:] = source[len(head) : -len(tail)]
        records.check(head, [payload], tail, header, what)
    else:
        _read_file(source, [head, payload, tail], what)
        if not source.is_verified or records.header_of(head, what) != header:
            records.check(head, [payload], tail, header, what)
            source.passed()
    if halved:
        records.unhalve(payload, out)


def _read_file(source: ValueFile, buffers: list[bytearray | memoryview], what: str) -> None:
    handle = _open(source.path, what)
    try:
        read = os.preadv(handle, buffers, 0)
        if read < source.size:
            read += _read_rest(handle, buffers, read)
    finally:
        os.close(handle)
    if read != source.size:
        raise RunDamaged(f"{what}: {read} bytes where {source.size} belong; it is cut")


def _read_rest(handle: int, buffers: list[bytearray | memoryview], done: int) -> int:
    """Go on after a short read (Linux stops at 2 GiB); returns the bytes read."""
    total, start = 0, 0
    for buffer in buffers:
        view = memoryview(buffer)[max(0, done - start) :]
        while view:
            read = os.preadv(handle, [view], done + total)
            if read == 0:
                return total
            total, view = total + read, view[read:]
        start += len(buffer)
    return total


def _open(path: str, what: str) -> int:
    try:
        return files.open_regular(path)
    except FileNotFoundError:
        raise RunDamaged(f"{what}: its file {path} is missing") from None


def _what(database: Database, layer: LayerInfo, epoch: int) -> str:
    return f"{database.folder.parent.name}: layer {layer.name!r} at epoch {keys.key_epoch(epoch):g}"
