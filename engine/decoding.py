"""The one door through which stored and sent values become typed: safe with threads, which msgspec alone is not.

While msgspec looks at a type for the first time, it leaves the type half made; a thread that decodes into it meanwhile
follows a null pointer, and the process is gone (0.22: four threads that read totals together and were made to switch
often ended 15 processes of 30). So types are looked at under a lock, before anything is decoded into them.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any, TypeVar, overload

import msgspec

_T = TypeVar("_T")
_Decoder = TypeVar("_Decoder")

_lock = threading.Lock()
_of_json: dict[Any, msgspec.json.Decoder[Any]] = {}
_of_msgpack: dict[Any, msgspec.msgpack.Decoder[Any]] = {}


@overload
def from_json(data: bytes | str, kind: type[_T]) -> _T: ...
@overload
def from_json(data: bytes | str, kind: Any = Any) -> Any: ...
def from_json(data: bytes | str, kind: Any = Any) -> Any:
    """``data`` as a value of ``kind``. Raises msgspec.DecodeError, of which ValidationError is one."""
    return _known(_of_json, msgspec.json.Decoder, kind).decode(data)


@overload
def msgpack_decoder(kind: type[_T]) -> msgspec.msgpack.Decoder[_T]: ...
@overload
def msgpack_decoder(kind: Any) -> msgspec.msgpack.Decoder[Any]: ...
def msgpack_decoder(kind: Any) -> msgspec.msgpack.Decoder[Any]:
    """What decodes values of ``kind``; the same at each call. Decoding raises msgspec.DecodeError."""
    return _known(_of_msgpack, msgspec.msgpack.Decoder, kind)


def from_builtins(value: Any, kind: type[_T]) -> _T:
    """A parsed table, or what else is made of plain values, as a value of ``kind``. Raises msgspec.ValidationError."""
    _known(_of_json, msgspec.json.Decoder, kind)
    return msgspec.convert(value, kind)


def _known(known: dict[Any, _Decoder], make: Callable[[Any], _Decoder], kind: Any) -> _Decoder:
    found = known.get(kind)
    if found is None:
        with _lock:
            found = known[kind] = make(kind)
    return found
