"""One record: header, payload, trailer. Every stored value and every checkpoint is one.

The header says what the payload is (content, layer, epoch, shape), so that a file put in the place of
another is noticed; the trailer repeats the length and carries a CRC32 of header and payload, so that a
cut or flipped file is noticed (SQLite checks neither, and 64 flipped bytes were served as good).
Nothing is ever pickled.
"""

import json
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, BinaryIO, NamedTuple

import numpy as np
from numpy.typing import NDArray
from prunescope.engine.store.errors import RunDamaged, StoreError

try:
    # The same CRC32 at 10 GB/s instead of 2.5: with zlib's, checking took longer than reading.
    from isal.isal_zlib import crc32
except ImportError:  # no wheel for this machine
    from zlib import crc32

JSON, ROWS, HALF_ROWS, BUNDLE, CHECKPOINT = range(1, 6)
NO_LAYER = -1
NO_EPOCH = 2**64 - 1

_HEADER = struct.Struct("<4sBBHiQQQ28x")  # magic, version, content, 0, layer, epoch key, rows, columns
_TRAILER = struct.Struct("<4sIQ")  # magic, CRC32, length of the whole record
_MAGIC, _END, _VERSION = b"PRSN", b"NSRP", 1
HEADER_SIZE, TRAILER_SIZE = _HEADER.size, _TRAILER.size
OVERHEAD = HEADER_SIZE + TRAILER_SIZE

# Numbers only: an object dtype would bring pickle back.
_DTYPES = frozenset(
    ["<f2", "<f4", "<f8", "|i1", "<i2", "<i4", "<i8", "|u1", "<u2", "<u4", "<u8", "|b1", "<c8", "<c16"]
)

Buffer = bytes | bytearray | memoryview


class Header(NamedTuple):
    """What a record says of itself."""

    content: int
    layer: int
    epoch: int
    rows: int
    columns: int


@dataclass(frozen=True)
class Record:
    """A packed record as the buffers it consists of: writing it copies nothing."""

    parts: tuple[Buffer, ...]
    size: int

    def joined(self) -> bytes:
        """The record as one piece."""
        return b"".join(self.parts)


def pack(header: Header, payload: Sequence[Buffer]) -> Record:
    """Wrap payload buffers (of bytes) in a header and a trailer."""
    head = _HEADER.pack(_MAGIC, _VERSION, header.content, 0, *header[1:])
    crc = crc32(head)
    size = OVERHEAD
    for part in payload:
        crc = crc32(part, crc)
        size += len(part)
    return Record((head, *payload, _TRAILER.pack(_END, crc, size)), size)


def check(head: Buffer, payload: Sequence[Buffer], tail: Buffer, expected: Header, what: str) -> None:
    """Compare header and trailer with what was asked for and what was read.

    Raises
    ------
    RunDamaged
        Naming `what`, and how it differs.
    """
    if header_of(head, what) != expected:
        raise RunDamaged(
            f"{what}: holds {header_of(head, what)} where {expected} belongs; it was swapped or altered"
        )
    magic, crc, size = _TRAILER.unpack(tail)
    actual = crc32(head)
    for part in payload:
        actual = crc32(part, actual)
    if magic != _END or size != OVERHEAD + sum(len(part) for part in payload) or crc != actual:
        raise RunDamaged(f"{what}: the bytes do not match their checksum; the file is cut or altered")


def header_of(head: Buffer, what: str) -> Header:
    """Read a header; RunDamaged if it is none."""
    magic, version, content, zero, *rest = _HEADER.unpack(head)
    if magic != _MAGIC or zero != 0:
        raise RunDamaged(f"{what}: does not begin as a record of this product")
    if version != _VERSION:
        raise RunDamaged(
            f"{what}: record version {version}; this release reads {_VERSION}. Update prunescope."
        )
    return Header(content, *rest)


def unpack(data: Buffer, content: int, layer: int, epoch: int, what: str) -> memoryview:
    """Payload of a whole record, after every check but that of its shape."""
    view = memoryview(data)
    if len(view) < OVERHEAD:
        raise RunDamaged(f"{what}: {len(view)} bytes are too few for a record")
    head, payload, tail = view[:HEADER_SIZE], view[HEADER_SIZE:-TRAILER_SIZE], view[-TRAILER_SIZE:]
    shape = header_of(head, what)[3:]
    check(head, [payload], tail, Header(content, layer, epoch, *shape), what)
    return payload


def read_file(file: BinaryIO, size: int, what: str) -> bytes:
    """A whole record of `size` bytes from a file, whose header must agree on the size before it is read."""
    head = file.read(HEADER_SIZE)
    if len(head) < HEADER_SIZE or header_of(head, what).rows + OVERHEAD != size:
        raise RunDamaged(f"{what}: {size} bytes, which is not what its header says; it is cut or altered")
    try:
        return head + file.read(size - HEADER_SIZE)
    except MemoryError:
        raise RunDamaged(f"{what}: {size} bytes are more than this machine can hold") from None


def pack_json(value: object, epoch: int = NO_EPOCH) -> Record:
    """A JSON value as a record."""
    text = json.dumps(value, separators=(",", ":")).encode()
    return pack(Header(JSON, NO_LAYER, epoch, len(text), 0), [text])


def unpack_json(data: Buffer, what: str, epoch: int = NO_EPOCH) -> Any:
    """Inverse of `pack_json`."""
    try:
        return json.loads(bytes(unpack(data, JSON, NO_LAYER, epoch, what)))
    except (ValueError, RecursionError) as error:
        raise RunDamaged(f"{what}: not JSON ({error})") from None


def pack_rows(weights: NDArray[Any], dtype: str, layer: int, epoch: int) -> Record:
    """Weight vectors ``(units, fan_in)`` as a record of float32 or scaled float16 rows."""
    rows = np.asarray(weights, dtype="<f4", order="C")
    if dtype == "float16":
        payload, content = _halved(rows), HALF_ROWS
    else:
        payload, content = [rows.data.cast("B")], ROWS
    return pack(Header(content, layer, epoch, *rows.shape), payload)


def rows_header(dtype: str, layer: int, epoch: int, shape: tuple[int, int]) -> Header:
    """The header that weight vectors of this layer and epoch must have."""
    return Header(HALF_ROWS if dtype == "float16" else ROWS, layer, epoch, *shape)


def rows_size(dtype: str, shape: tuple[int, int]) -> int:
    """Bytes of such a record."""
    units, fan_in = shape
    return OVERHEAD + (units * 4 + units * fan_in * 2 if dtype == "float16" else units * fan_in * 4)


def _halved(rows: NDArray[np.float32]) -> list[Buffer]:
    """One float32 scale a row, then the rows as float16 of at most 1.

    Without the scale, rows of tiny norm fall into float16's subnormals: 4.3° of error instead of 0.007°.
    """
    size = np.abs(rows)
    size[~np.isfinite(size)] = 0
    scale = size.max(axis=1)
    scale[scale == 0] = 1
    halves = (rows / scale[:, None]).astype("<f2")
    return [scale.astype("<f4").data.cast("B"), halves.data.cast("B")]


def unhalve(payload: Buffer, out: NDArray[np.float32]) -> None:
    """Inverse of `_halved`, written into `out`, shape (units, fan_in)."""
    units = len(out)
    scale = np.frombuffer(payload, "<f4", units)
    np.multiply(np.frombuffer(payload, "<f2", offset=4 * units).reshape(out.shape), scale[:, None], out=out)


def pack_bundle(arrays: Mapping[str, NDArray[Any]], epoch: int, order: Sequence[str] = ()) -> Record:
    """Named arrays of any shape and number type as one record.

    Parameters
    ----------
    order : sequence of str
        Names in the order of the whole state dict, kept beside the arrays.

    Raises
    ------
    StoreError
        If an array holds something else than numbers.
    """
    entries, blobs = [], []
    for name, array in arrays.items():
        # Not ascontiguousarray: that turns 0-d into 1-d.
        little = np.asarray(array, dtype=array.dtype.newbyteorder("<"), order="C")
        if little.dtype.str not in _DTYPES:
            raise StoreError(
                f"tensor {name!r}: dtype {array.dtype} is not a number type; convert it to float32"
            )
        entries.append([name, little.dtype.str, list(little.shape)])
        blobs.append(little.tobytes())
    text = json.dumps({"arrays": entries, "order": list(order)}).encode()
    payload = [len(text).to_bytes(8, "little"), text, *blobs]
    return pack(Header(BUNDLE, NO_LAYER, epoch, sum(map(len, payload)), 0), payload)


def unpack_bundle(data: Buffer, what: str, epoch: int) -> tuple[dict[str, NDArray[Any]], list[str]]:
    """Inverse of `pack_bundle`: fresh arrays by name, and the order kept with them."""
    payload = unpack(data, BUNDLE, NO_LAYER, epoch, what)
    try:
        end = 8 + int.from_bytes(payload[:8], "little")
        directory = json.loads(bytes(payload[8:end]))
        arrays, start = {}, end
        for name, dtype, shape in directory["arrays"]:
            if (
                dtype not in _DTYPES
                or not isinstance(name, str)
                or any(type(n) is not int or n < 0 for n in shape)
            ):
                raise ValueError(f"array {name!r} of {dtype!r} {shape!r}")
            size = np.dtype(dtype).itemsize
            for n in shape:  # Python integers: a product in int64 could wrap to something small
                size *= n
            if start + size > len(payload):
                raise ValueError(f"array {name!r} of shape {shape} needs more bytes than there are")
            arrays[name] = np.frombuffer(payload[start : start + size], dtype).reshape(shape).copy()
            start += size
        return arrays, [str(name) for name in directory["order"]]
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise RunDamaged(f"{what}: not a bundle of arrays ({error})") from None
