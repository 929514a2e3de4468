"""Host driver of a finnmake accelerator behind a serial line. It needs NumPy, and pyserial to talk to a board.

This file is copied into the deploy folder as it is and imports nothing of finnmake. As a library::

    from driver import Accelerator
    with Accelerator.open("/dev/ttyUSB0") as accelerator:
        outputs = accelerator.run(inputs)

and from a shell::

    python driver.py --port /dev/ttyUSB0 --inputs images.npy --output labels.npy

The protocol is described in the headers of ``link_decoder.v`` and ``shell_uart.v``: payload bytes with escapes, a reset
that gets through in any state, checksums of both directions after every batch.
"""

from __future__ import annotations

import argparse
import binascii
import json
import math
import sys
import time
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

PROTOCOL = 1
ESCAPE, LITERAL, RESET, STATUS = 0x1B, 0x01, 0x02, 0x03
REPLY_BYTES = 5
OVERFLOW, ILLEGAL_ESCAPE = 1, 2
RESET_ATTEMPTS = 3
QUIET_SECONDS = 0.05
READ_BYTES = 4096


class LinkError(Exception):
    """The accelerator does not answer, is another one, or data was damaged on the way."""


class SerialLine(Protocol):
    """What the driver uses of ``serial.Serial``; ``read`` returns what there is when ``timeout`` seconds are over."""

    timeout: float | None

    def read(self, size: int = 1) -> bytes: ...

    def write(self, data: bytes) -> int | None: ...

    def flush(self) -> None: ...

    def reset_input_buffer(self) -> None: ...

    def close(self) -> None: ...


def checksum(data: bytes, start: int = 0xFFFF) -> int:
    """CRC-16 with polynomial 0x1021, as ``link_checksum.v`` computes it."""
    return binascii.crc_hqx(data, start)


def escape(payload: bytes) -> bytes:
    """Payload as it crosses the line."""
    return payload.replace(bytes([ESCAPE]), bytes([ESCAPE, LITERAL]))


class Decoder:
    """Bytes of the line to payload and replies.

    Attributes:
        payload: bytes that have come since they were taken last.
        replies: (kind, bytes) of the replies that have come since they were taken last.
    """

    def __init__(self) -> None:
        self.payload = bytearray()
        self.replies: list[tuple[int, bytes]] = []
        self._escaped = False
        self._kind = 0
        self._reply = bytearray()

    def feed(self, data: bytes) -> None:
        """Takes bytes from the line.

        Raises:
            LinkError: an escape that the protocol does not have.
        """
        for byte in data:
            if self._escaped:
                self._escaped = byte == ESCAPE
                if byte in (RESET, STATUS):
                    self._kind = byte
                    self._reply.clear()
                elif byte == LITERAL:
                    self._take(ESCAPE)
                elif byte != ESCAPE:
                    raise LinkError(f"the accelerator sent an escape {byte:#04x} that the protocol does not have")
            elif byte == ESCAPE:
                self._escaped = True
            else:
                self._take(byte)

    def _take(self, byte: int) -> None:
        if not self._kind:
            self.payload.append(byte)
            return
        self._reply.append(byte)
        if len(self._reply) == REPLY_BYTES:
            self.replies.append((self._kind, bytes(self._reply)))
            self._kind = 0


class StreamFormat:
    """How frames of integers cross the line: elements packed to words, words padded to bytes, lowest byte first.

    Elements may cross in another order than that of a frame: channels innermost, where a frame has them first.
    """

    def __init__(self, description: dict[str, Any]) -> None:
        self.datatype: str = description["datatype"]
        self.bits: int = description["bits"]
        self.minimum: int = description["minimum"]
        self.maximum: int = description["maximum"]
        self.elements_per_word: int = description["elements_per_word"]
        self.words_per_frame: int = description["words_per_frame"]
        self.word_bytes: int = description["word_bytes"]
        self.shape: tuple[int, ...] = tuple(description["shape"])
        self.order = [(tuple(step["shape"]), tuple(step["perm"])) for step in description["order"]]
        if math.prod(self.shape) != self.elements_per_frame:
            raise LinkError(f"a frame of shape {self.shape} does not have {self.elements_per_frame} elements")

    @property
    def elements_per_frame(self) -> int:
        """Elements of one frame."""
        return self.elements_per_word * self.words_per_frame

    @property
    def frame_bytes(self) -> int:
        """Bytes of one frame, without escapes."""
        return self.word_bytes * self.words_per_frame

    def pack(self, frames: NDArray[Any]) -> list[bytes]:
        """Frames, shape (count, *shape), to the bytes of each.

        Raises:
            ValueError: another shape, fractions, or values that the datatype does not have.
        """
        if frames.shape[1:] != self.shape:
            raise ValueError(f"a frame must have the shape {self.shape}, not {frames.shape[1:]}")
        values = frames.astype(np.int64)
        if not np.array_equal(values, frames):
            raise ValueError("the inputs are not integers")
        if values.size and not self.minimum <= values.min() <= values.max() <= self.maximum:
            raise ValueError(f"inputs {values.min()} … {values.max()} do not fit {self.datatype}")
        if self.datatype == "BIPOLAR":
            if (values == 0).any():
                raise ValueError("BIPOLAR has no 0")
            values = (values + 1) // 2
        words = self._turned(values).reshape(-1, self.elements_per_word)
        bits = (words[..., None] >> np.arange(self.bits)) & 1
        rows = bits.reshape(len(words), self.elements_per_word * self.bits).astype(np.uint8)
        packed = np.packbits(rows, axis=1, bitorder="little")
        return [frame.tobytes() for frame in packed.reshape(len(frames), self.frame_bytes)]

    def unpack(self, data: bytes) -> NDArray[np.int64]:
        """Bytes of whole frames to integers, shape (count, *shape)."""
        words = np.frombuffer(data, dtype=np.uint8).reshape(-1, self.word_bytes)
        count = self.elements_per_word * self.bits
        bits = np.unpackbits(words, axis=1, count=count, bitorder="little").astype(np.int64)
        values = (bits.reshape(-1, self.elements_per_word, self.bits) << np.arange(self.bits)).sum(axis=2)
        if self.datatype == "BIPOLAR":
            values = 2 * values - 1
        elif self.minimum < 0:
            values = np.where(values >= 1 << (self.bits - 1), values - (1 << self.bits), values)
        frames: NDArray[np.int64] = self._turned(values.reshape(-1, self.elements_per_frame)).reshape(-1, *self.shape)
        return frames

    def _turned(self, frames: NDArray[np.int64]) -> NDArray[np.int64]:
        """Frames with their elements in the order behind the line, shape (count, …)."""
        for shape, perm in self.order:
            frames = frames.reshape(len(frames), *shape).transpose(0, *(axis + 1 for axis in perm))
        return frames


class Accelerator:
    """An accelerator at the other end of a serial line. Also a context manager.

    Args:
        line: the serial line, open.
        description: contents of ``accelerator.json``.
        timeout: seconds without a byte after which the accelerator counts as dead.

    Raises:
        LinkError: no accelerator answers, or it is not the one that the description describes.
    """

    def __init__(self, line: SerialLine, description: dict[str, Any], timeout: float = 2.0) -> None:
        if description["protocol"] != PROTOCOL:
            raise LinkError(f"the description is of protocol {description['protocol']}, this driver speaks {PROTOCOL}")
        self.input = StreamFormat(description["input"])
        self.output = StreamFormat(description["output"])
        self._line = line
        self._timeout = timeout
        self._identifier: int = description["identifier"]
        self._frames_on_the_way = max(1, description["buffer_bytes"] // self.input.frame_bytes)
        self._decoder = Decoder()
        self.reset()

    @classmethod
    def open(cls, port: str, description: Path | None = None, timeout: float = 2.0) -> Accelerator:
        """Opens a serial port by name; the description is ``accelerator.json`` beside this file by default.

        Raises:
            LinkError: as the class; also where the port cannot be opened.
        """
        import serial

        path = description or Path(__file__).with_name("accelerator.json")
        content = json.loads(path.read_text(encoding="utf-8"))
        try:
            line = serial.Serial(port, content["baud"], timeout=timeout)
        except serial.SerialException as error:
            raise LinkError(f"cannot open {port}: {error}") from error
        try:
            return cls(line, content, timeout)
        except LinkError:
            line.close()
            raise

    def close(self) -> None:
        """Closes the line."""
        self._line.close()

    def __enter__(self) -> Accelerator:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def reset(self) -> None:
        """Resets link and accelerator, whatever state they are in, and checks which accelerator it is.

        Raises:
            LinkError: no answer, or the answer of another accelerator.
        """
        for _ in range(RESET_ATTEMPTS):
            # What an earlier host asked for may still be on the way: everything before the answer is dropped.
            self._line.reset_input_buffer()
            self._decoder = Decoder()
            self._line.write(bytes([ESCAPE, RESET]))
            self._line.flush()
            reply = self._await_hello()
            if reply is None:
                continue
            found = int.from_bytes(reply[:4], "little")
            if found != self._identifier or reply[4] != PROTOCOL:
                raise LinkError(
                    f"the board holds accelerator {found:08x} (protocol {reply[4]}), not {self._identifier:08x}: "
                    "program it with the bitstream of this folder"
                )
            return
        raise LinkError("the board does not answer: is it programmed, and is this its port?")

    def _await_hello(self) -> bytes | None:
        """The answer to a reset, when the line has gone quiet after it; None where there is none."""
        deadline = time.monotonic() + self._timeout
        quiet = False
        while time.monotonic() < deadline and not (quiet and self._decoder.replies):
            data = self._read(QUIET_SECONDS)
            quiet = not data
            try:
                self._decoder.feed(data)
            except LinkError:
                # The middle of what an earlier host was sent.
                self._decoder = Decoder()
        hellos = [data for kind, data in self._decoder.replies if kind == RESET]
        self._decoder = Decoder()
        return hellos[-1] if hellos else None

    def _read(self, seconds: float) -> bytes:
        self._line.timeout = seconds
        data = self._line.read(1)
        if data:
            self._line.timeout = 0
            data += self._line.read(READ_BYTES)
        return data

    def run(self, inputs: NDArray[Any]) -> NDArray[np.int64]:
        """Sends frames and returns what the accelerator computes of them.

        Args:
            inputs: shape (count, *input shape), integers that the input datatype has.

        Returns:
            Shape (count, *output shape), int64.

        Raises:
            ValueError: inputs that the accelerator does not take.
            LinkError: it stops answering, or data was damaged on the way; the batch can be sent again.
        """
        frames = self.input.pack(np.asarray(inputs))
        try:
            self.reset()
            received = self._exchange(frames)
            self._check(b"".join(frames), received)
        except LinkError:
            self._line.write(bytes([ESCAPE, RESET]))
            raise
        return self.output.unpack(received)

    def _exchange(self, frames: list[bytes]) -> bytes:
        """Sends frames, never more than the accelerator can buffer, and collects the outputs."""
        received = bytearray()
        sent = 0
        while len(received) < len(frames) * self.output.frame_bytes:
            done = len(received) // self.output.frame_bytes
            while sent < len(frames) and sent - done < self._frames_on_the_way:
                self._line.write(escape(frames[sent]))
                sent += 1
            # Only silence after the last byte has left counts: a slow line is not a dead accelerator.
            self._line.flush()
            data = self._read(self._timeout)
            if not data:
                raise LinkError(f"the accelerator has stopped after {done} of {len(frames)} frames")
            self._decoder.feed(data)
            received += self._decoder.payload
            self._decoder.payload.clear()
        return bytes(received)

    def _check(self, sent: bytes, received: bytes) -> None:
        """Compares both directions with the accelerator's checksums."""
        self._line.write(bytes([ESCAPE, STATUS]))
        self._line.flush()
        while not self._decoder.replies:
            data = self._read(self._timeout)
            if not data:
                raise LinkError("the accelerator does not say its status")
            self._decoder.feed(data)
        _, reply = self._decoder.replies.pop()
        if reply[4] & OVERFLOW:
            raise LinkError("the accelerator's buffer has overflowed")
        if reply[4] & ILLEGAL_ESCAPE or int.from_bytes(reply[0:2], "little") != checksum(sent):
            raise LinkError("inputs were damaged on the way to the accelerator")
        if self._decoder.payload or int.from_bytes(reply[2:4], "little") != checksum(received):
            raise LinkError("outputs were damaged on the way from the accelerator")


def main() -> int:
    """Runs a batch from a file."""
    parser = argparse.ArgumentParser(description="Runs a batch of frames on the board.")
    parser.add_argument("--port", required=True, help="serial port, e.g. /dev/ttyUSB0")
    parser.add_argument("--inputs", required=True, type=Path, help="frames, shape (count, ...), .npy")
    parser.add_argument("--output", required=True, type=Path, help="where the outputs go, .npy")
    arguments = parser.parse_args()
    try:
        inputs = np.load(arguments.inputs, allow_pickle=False)
        with Accelerator.open(arguments.port) as accelerator:
            started = time.monotonic()
            outputs = accelerator.run(inputs)
            seconds = time.monotonic() - started
    except (LinkError, ValueError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    np.save(arguments.output, outputs)
    print(f"{len(outputs)} frames in {seconds:.2f} s")
    return 0


if __name__ == "__main__":
    sys.exit(main())
