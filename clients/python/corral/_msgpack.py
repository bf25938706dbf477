# SPDX-License-Identifier: LGPL-2.1-or-later
"""The values of a line's extras, which are MessagePack. What Python has nothing for (extension
types, maps with other keys than strings, texts that are not UTF-8) stays a RawExtra."""

from __future__ import annotations

import struct
from typing import Any

from ._types import RawExtra

_DEPTH_MAX = 32


def _head(out: bytearray, count: int, short: int, short_max: int, code: int, bytes8: bool) -> None:
    if count <= short_max:
        out.append(short | count)
    elif bytes8 and count < 0x100:
        out += bytes((code, count))
    elif count < 0x10000:
        out += struct.pack(">BH", code + bytes8, count)
    else:
        out += struct.pack(">BI", code + bytes8 + 1, count)


def _pack_int(out: bytearray, number: int, field: str) -> None:
    if 0 <= number < 0x80 or -32 <= number < 0:
        out.append(number & 0xFF)
        return
    if not -(2**63) <= number < 2**64:
        raise ValueError(f"{field}: the number has more than 64 bits")
    for code, form, least, most in (
        (0xCC, "B", 0, 2**8),
        (0xCD, "H", 0, 2**16),
        (0xCE, "I", 0, 2**32),
        (0xCF, "Q", 0, 2**64),
        (0xD0, "b", -(2**7), 0),
        (0xD1, "h", -(2**15), 0),
        (0xD2, "i", -(2**31), 0),
        (0xD3, "q", -(2**63), 0),
    ):
        if least <= number < most:
            out += struct.pack(">B" + form, code, number)
            return


def _pack_text(out: bytearray, text: str, field: str) -> None:
    try:
        data = text.encode()
    except UnicodeEncodeError:
        raise ValueError(f"{field}: the str has half a surrogate pair in it") from None
    _head(out, len(data), 0xA0, 31, 0xD9, True)
    out += data


def _pack(out: bytearray, value: Any, field: str, depth: int) -> None:
    if depth > _DEPTH_MAX:
        raise ValueError(f"{field}: the value is nested too deeply")
    if value is None:
        out.append(0xC0)
    elif isinstance(value, bool):
        out.append(0xC3 if value else 0xC2)
    elif isinstance(value, int):
        _pack_int(out, int(value), field)
    elif isinstance(value, float):
        out += struct.pack(">Bd", 0xCB, value)
    elif isinstance(value, str):
        _pack_text(out, value, field)
    elif isinstance(value, (bytes, bytearray)):
        _head(out, len(value), 0, -1, 0xC4, True)
        out += value
    elif isinstance(value, RawExtra):
        out += value.data
    elif isinstance(value, (list, tuple)):
        entries = list(value)
        _head(out, len(entries), 0x90, 15, 0xDC, False)
        for i, entry in enumerate(entries):
            _pack(out, entry, f"{field}[{i}]", depth + 1)
    elif isinstance(value, dict):
        pairs = list(value.items())
        _head(out, len(pairs), 0x80, 15, 0xDE, False)
        for key, entry in pairs:
            if not isinstance(key, str):
                raise TypeError(f"{field}: a str as a key is wanted, not {type(key).__name__}")
            _pack_text(out, key, field)
            _pack(out, entry, f"{field}.{key[:40]}", depth + 1)
    else:
        raise TypeError(f"{field}: a value of JSON is wanted, not {type(value).__name__}")


def encode(value: Any, key: str) -> bytes:
    """The bytes of the value of an extra."""
    out = bytearray()
    _pack(out, value, f"extras.{key[:40]}", 0)
    return bytes(out)


class _Inexpressible(Exception):
    pass


_NUMBERS = {
    0xCB: "d",
    0xCC: "B",
    0xCD: "H",
    0xCE: "I",
    0xCF: "Q",
    0xD0: "b",
    0xD1: "h",
    0xD2: "i",
    0xD3: "q",
}
_SIZED = {  # code: what it is, and the form of its size
    0xC4: (bytes, "B"),
    0xC5: (bytes, "H"),
    0xC6: (bytes, "I"),
    0xD9: (str, "B"),
    0xDA: (str, "H"),
    0xDB: (str, "I"),
    0xDC: (list, "H"),
    0xDD: (list, "I"),
    0xDE: (dict, "H"),
    0xDF: (dict, "I"),
}


class _Reader:
    def __init__(self, data: bytes) -> None:
        self.data = data
        self.at = 0

    def take(self, count: int) -> bytes:
        taken = self.data[self.at : self.at + count]
        if len(taken) != count:
            raise _Inexpressible
        self.at += count
        return taken

    def number(self, form: str) -> Any:
        return struct.unpack(">" + form, self.take(struct.calcsize(">" + form)))[0]

    def sized(self, kind: type, size: int, depth: int) -> Any:
        if kind is bytes:
            return self.take(size)
        if kind is str:
            return self.take(size).decode()
        if kind is list:
            return [self.value(depth + 1) for _ in range(size)]
        pairs: dict[str, Any] = {}
        for _ in range(size):
            key = self.value(depth + 1)
            if not isinstance(key, str) or key in pairs:
                raise _Inexpressible
            pairs[key] = self.value(depth + 1)
        return pairs

    def value(self, depth: int) -> Any:
        if depth > _DEPTH_MAX:
            raise _Inexpressible
        code = self.take(1)[0]
        if code < 0x80:
            return code
        if code < 0x90:
            return self.sized(dict, code & 15, depth)
        if code < 0xA0:
            return self.sized(list, code & 15, depth)
        if code < 0xC0:
            return self.sized(str, code & 31, depth)
        if code >= 0xE0:
            return code - 256
        if code in _NUMBERS:
            return self.number(_NUMBERS[code])
        if code in _SIZED:
            kind, form = _SIZED[code]
            return self.sized(kind, self.number(form), depth)
        if code in (0xC0, 0xC2, 0xC3):
            return {0xC0: None, 0xC2: False, 0xC3: True}[code]
        raise _Inexpressible  # an extension type, or a float of 32 bits


def decode(data: bytes) -> Any:
    """The value of bytes; a RawExtra if Python has none for it."""
    reader = _Reader(data)
    try:
        value = reader.value(0)
    except (_Inexpressible, UnicodeDecodeError):
        return RawExtra(data)
    return value if reader.at == len(data) else RawExtra(data)
