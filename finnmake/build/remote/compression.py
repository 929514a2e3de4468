"""Blobs that are compressed on their way, as REAPI's compressor ``ZSTD``: streams, whatever a blob's size.

A blob's name stays that of its plain bytes. A stream may consist of several frames: some servers compress in pieces.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import IO, cast

from zstandard import ZstdCompressor, ZstdDecompressor, ZstdError

from finnmake.build.remote.cache import CheckedWriter, RemoteError

LARGEST_WINDOW = 8 << 20
"""Bytes that a frame may have us keep: what RFC 8878 (3.1.1.1.2) wants decoders to take and encoders to stay below."""
_LEVEL = 3


class CompressionError(RemoteError):
    """Bytes that cannot be decompressed, or not in the memory that they may take."""


class DecompressingWriter:
    """Decompresses a stream into a checked writer, in pieces: what is too much is refused before it is all there.

    Args:
        writer: takes the plain bytes.
    """

    def __init__(self, writer: CheckedWriter) -> None:
        self._writer = writer
        # Nothing but `write` is called of it.
        target = cast(IO[bytes], writer)
        self._stream = ZstdDecompressor(max_window_size=LARGEST_WINDOW).stream_writer(target, closefd=False)

    def write(self, data: bytes) -> None:
        """Takes the next compressed bytes.

        Raises:
            CompressionError: they are not zstd's, or want too much memory.
            WrongBlobError: they are those of a longer blob.
        """
        try:
            self._stream.write(data)
        except ZstdError as error:
            raise CompressionError(f"the remote cache gave what cannot be decompressed: {error}") from None

    def finish(self) -> None:
        """All bytes have been written.

        Raises:
            WrongBlobError: they are not those of the blob.
        """
        self._writer.finish()


def compressed(data: bytes) -> bytes:
    """A small blob, compressed."""
    return ZstdCompressor(level=_LEVEL).compress(data)


def compressed_parts(source: Path, chunk: int) -> Iterator[bytes]:
    """A file's bytes, compressed.

    Args:
        source: the file.
        chunk: plain bytes that are read at a time.
    """
    compressor = ZstdCompressor(level=_LEVEL).compressobj()
    with source.open("rb") as file:
        while data := file.read(chunk):
            if part := compressor.compress(data):
                yield part
    yield compressor.flush()
