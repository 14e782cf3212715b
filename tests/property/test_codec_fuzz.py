"""Any bytes, however cut, give requests or RemoteProtocolError, and the same for every cut (as in h11)."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from random import Random
from types import ModuleType

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st


def _tool() -> ModuleType:
    path = Path(__file__).parents[2] / "tools" / "fuzz" / "pdus.py"
    spec = importlib.util.spec_from_file_location("fuzz_pdus", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


pdus = _tool()


@pytest.mark.parametrize("seed", range(4))
def test_spoilt_messages_keep_the_invariant(seed: int) -> None:
    random = Random(seed)
    inputs = pdus.spoilt(random)
    found = sum(pdus.check(next(inputs), random) for _ in range(2_000))
    assert found > 500, "the generator spoils so much that nothing is left to test"


@settings(max_examples=150)
@given(st.binary(max_size=80), st.randoms(use_true_random=False))
def test_random_bytes_keep_the_invariant(data: bytes, random: Random) -> None:
    pdus.check(data, random)


@settings(max_examples=150)
@given(
    st.binary(max_size=60),
    st.sampled_from((0x60, 0x42, 0x63, 0x66, 0x68, 0x4A, 0x6C, 0x6E, 0x50, 0x77, 0x61)),
)
def test_random_content_of_every_operation_keeps_the_invariant(content: bytes, tag: int) -> None:
    message = b"\x02\x01\x01" + bytes((tag, len(content))) + content
    pdus.check(bytes((0x30, len(message))) + message, Random(0))
