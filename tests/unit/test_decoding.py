"""Decoding into types: threads that do it together for the first time, and what is raised for what does not fit."""

from __future__ import annotations

import subprocess
import sys

import msgspec
import pytest

from engine.decoding import from_builtins, from_json, msgpack_decoder
from engine.model import Tally, Totals

_TOGETHER = """
import sys
from threading import Barrier, Thread
import msgspec
from engine.decoding import from_builtins, from_json, msgpack_decoder

VALUE = {name: {"text": "a"} for name in "abcdefgh"}
TEXT, PACKED = msgspec.json.encode(VALUE), msgspec.msgpack.encode(VALUE)
WAYS = [
    lambda kind: from_json(TEXT, kind),
    lambda kind: msgpack_decoder(kind).decode(PACKED),
    lambda kind: from_builtins(VALUE, kind),
]

def decode(way, kind):
    begin.wait()
    found.append(way(kind).h.text)

sys.setswitchinterval(1e-6)
found = []
for _ in range(200):
    begin = Barrier(6)
    kind = msgspec.defstruct("Outer", [(name, msgspec.defstruct("Inner", [("text", str)])) for name in VALUE])
    threads = [Thread(target=decode, args=(way, kind)) for way in 2 * WAYS]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
print(len(found), set(found))
"""


def test_threads_that_begin_together_do_not_end_the_process() -> None:
    done = subprocess.run([sys.executable, "-c", _TOGETHER], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "1200 {'a'}\n", "")


def test_each_way_gives_the_value() -> None:
    totals = Totals(files=Tally(discovered=3))
    assert from_json(msgspec.json.encode(totals), Totals) == totals
    assert msgpack_decoder(Totals).decode(msgspec.msgpack.encode(totals)) == totals
    assert from_builtins(msgspec.to_builtins(totals), Totals) == totals
    assert from_json('{"a": [1, null]}') == {"a": [1, None]}


def test_what_does_not_fit_is_said_with_its_place() -> None:
    with pytest.raises(msgspec.ValidationError, match=r"\$\.files\.discovered"):
        from_json(b'{"files": {"discovered": "three"}}', Totals)
    with pytest.raises(msgspec.ValidationError, match=r"\$\.files\.discovered"):
        from_builtins({"files": {"discovered": "three"}}, Totals)
    with pytest.raises(msgspec.DecodeError):
        from_json(b'{"files"', Totals)
