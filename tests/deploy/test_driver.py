from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from finnmake.dataflow.packing import npy_to_packed
from finnmake.deploy.driver import ESCAPE, Accelerator, Decoder, LinkError, StreamFormat, checksum, escape
from finnmake.graph.datatype import AnyDataType, DataType

DATATYPES = ("BIPOLAR", "BINARY", "TERNARY", "INT2", "UINT2", "INT3", "UINT4", "INT7", "UINT8", "INT17")


def stream(datatype: str, per_word: int, words: int) -> dict[str, Any]:
    kind: AnyDataType = DataType[datatype]
    bits = kind.bitwidth()
    return {
        "datatype": datatype,
        "bits": bits,
        "minimum": int(kind.min()),
        "maximum": int(kind.max()),
        "elements_per_word": per_word,
        "words_per_frame": words,
        "word_bytes": math.ceil(bits * per_word / 8),
        "shape": [words, per_word],
        "order": [],
    }


def description(datatype: str = "UINT8", buffer: int = 64) -> dict[str, Any]:
    return {
        "protocol": 1,
        "identifier": 0x1B02031B,
        "buffer_bytes": buffer,
        "input": stream(datatype, 4, 8),
        "output": stream(datatype, 4, 8),
    }


class Device:
    """The other end of the line in Python: the accelerator gives back each byte, changed by `compute`."""

    def __init__(self, about: dict[str, Any], compute: Callable[[int], int] = lambda byte: byte) -> None:
        self.timeout: float | None = None
        self._about = about
        self._compute = compute
        self._escaped = False
        self.waiting = bytearray()
        self.unanswered = 0
        self.reset()

    def reset(self) -> None:
        self.received = bytearray()
        self.sent = bytearray()
        self.reply(2, self._about["identifier"].to_bytes(4, "little") + b"\x01")

    def reply(self, kind: int, data: bytes) -> None:
        self.waiting += bytes([ESCAPE, kind]) + escape(data)

    def write(self, data: bytes) -> int:
        for byte in data:
            if self._escaped:
                self._escaped = byte == ESCAPE
                if byte == 2:
                    self.reset()
                elif byte == 3:
                    status = checksum(bytes(self.received)), checksum(bytes(self.sent))
                    self.reply(3, status[0].to_bytes(2, "little") + status[1].to_bytes(2, "little") + b"\0")
                elif byte == 1:
                    self.payload(ESCAPE)
            elif byte == ESCAPE:
                self._escaped = True
            else:
                self.payload(byte)
        return len(data)

    def payload(self, byte: int) -> None:
        self.received.append(byte)
        result = self._compute(byte)
        self.sent.append(result)
        self.waiting += escape(bytes([result]))
        self.unanswered = max(self.unanswered, len(self.waiting))

    def read(self, size: int = 1) -> bytes:
        data = bytes(self.waiting[:size])
        del self.waiting[:size]
        return data

    def flush(self) -> None: ...

    def reset_input_buffer(self) -> None:
        self.waiting.clear()

    def close(self) -> None: ...


@given(st.data(), st.sampled_from(DATATYPES), st.integers(1, 9), st.integers(1, 3), st.integers(0, 3))
def test_packing_is_that_of_the_simulators(
    data: st.DataObject, name: str, per_word: int, words: int, count: int
) -> None:
    datatype: AnyDataType = DataType[name]
    legal = st.integers(int(datatype.min()), int(datatype.max())).filter(datatype.allowed)
    size = count * words * per_word
    values = np.array(data.draw(st.lists(legal, min_size=size, max_size=size)), dtype=np.int64)
    frames = values.reshape(count, words, per_word)
    format_ = StreamFormat(stream(name, per_word, words))
    packed = b"".join(format_.pack(frames))
    assert packed == npy_to_packed(frames, datatype, per_word).tobytes()
    assert np.array_equal(format_.unpack(packed), frames)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (np.zeros((1, 8, 5)), "shape"),
        (np.full((1, 8, 4), 0.5), "not integers"),
        (np.full((1, 8, 4), 256), "do not fit"),
    ],
)
def test_inputs_that_do_not_fit(values: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        StreamFormat(stream("UINT8", 4, 8)).pack(values)


@given(st.binary(max_size=40), st.lists(st.binary(min_size=5, max_size=5), max_size=3))
def test_decoder_undoes_the_escapes(payload: bytes, replies: list[bytes]) -> None:
    line = escape(payload) + b"".join(bytes([ESCAPE, 3]) + escape(reply) for reply in replies)
    decoder = Decoder()
    for byte in line:
        decoder.feed(bytes([byte]))
    assert decoder.payload == payload
    assert decoder.replies == [(3, reply) for reply in replies]


@given(st.binary())
def test_checksum_is_a_crc(data: bytes) -> None:
    # A CRC without final inversion is zero over a message that is followed by its own CRC.
    assert checksum(data + checksum(data).to_bytes(2, "big")) == 0


@given(st.integers(0, 6), st.integers(0, 2**32))
def test_a_batch(count: int, seed: int) -> None:
    about = description()
    device = Device(about, lambda byte: byte ^ 0x1B)
    inputs = np.random.default_rng(seed).integers(0, 256, (count, 8, 4))
    with Accelerator(device, about, timeout=0.01) as accelerator:
        assert np.array_equal(accelerator.run(inputs), inputs ^ 0x1B)
    # Two frames of 32 bytes, escaped, are the most that may be on the way.
    assert device.unanswered <= 2 * 64 + 16


def test_another_accelerator_is_refused() -> None:
    with pytest.raises(LinkError, match="holds accelerator 1b02031b"):
        Accelerator(Device(description()), {**description(), "identifier": 7}, timeout=0.01)


def test_silence_is_an_error() -> None:
    device = Device(description())
    device.write = len  # type: ignore[method-assign,assignment]
    with pytest.raises(LinkError, match="does not answer"):
        Accelerator(device, description(), timeout=0.01)


def test_what_an_earlier_host_left_is_dropped() -> None:
    about = description()
    device = Device(about)
    device.write(b"half a frame" + bytes([ESCAPE]))
    inputs = np.arange(32).reshape(1, 8, 4)
    assert np.array_equal(Accelerator(device, about, timeout=0.01).run(inputs), inputs)


@pytest.mark.parametrize("victim", ["received", "sent"])
def test_damaged_data_is_found(victim: str) -> None:
    about = description()
    device = Device(about)
    accelerator = Accelerator(device, about, timeout=0.01)
    payload = device.payload

    def damaged(byte: int) -> None:
        payload(byte)
        getattr(device, victim)[-1] ^= 4

    device.payload = damaged  # type: ignore[method-assign]
    with pytest.raises(LinkError, match="damaged"):
        accelerator.run(np.zeros((1, 8, 4)))


def test_a_lost_byte_is_found() -> None:
    about = description()
    device = Device(about)
    accelerator = Accelerator(device, about, timeout=0.01)
    payload = device.payload
    device.payload = lambda byte: None if byte == 5 else payload(byte)  # type: ignore[method-assign]
    with pytest.raises(LinkError, match="stopped after 0 of 1 frames"):
        accelerator.run(np.arange(32).reshape(1, 8, 4))


def test_frames_are_turned_on_their_way() -> None:
    about = stream("UINT8", 3, 20)
    there = StreamFormat({**about, "shape": [3, 4, 5], "order": [{"shape": [3, 4, 5], "perm": [1, 2, 0]}]})
    back = StreamFormat({**about, "shape": [3, 4, 5], "order": [{"shape": [4, 5, 3], "perm": [2, 0, 1]}]})
    frames = np.random.default_rng(0).integers(0, 256, (2, 3, 4, 5))
    sent = there.pack(frames)
    assert sent == [frame.transpose(1, 2, 0).astype(np.uint8).tobytes() for frame in frames]
    assert np.array_equal(back.unpack(b"".join(sent)), frames)
