"""Reads Qt resource files (.rcc). Some Debian packages keep their pictures in them.

Qt's `rcc` writes this format (qtbase, `src/tools/rcc/rcc.cpp`). Numbers are big-endian:

    header  "qres", version, offsets of tree, data and names; flags since version 3
    node    offset of the name (4 bytes), flags (2); then for a folder the number of children and
            the number of the first child; for a file its country, language (2 each) and the offset
            of its data; modification time (8) since version 2
    name    length (2), hash (4), UTF-16
    data    length (4), bytes; compressed data begin with their full length (4)

The root is node 0. The children of a folder have consecutive numbers.
"""

import struct
import zlib
from collections.abc import Iterator
from pathlib import Path

from model.errors import ImageError

COMPRESSED, FOLDER = 1, 2
"""Flags of a node. Files with other flags (Zstandard) are not supported."""

NEWEST = 3
"""The newest supported version of the format."""

MAX_DEPTH = 32
"""Maximum nesting of folders."""


class ResourceFile:
    """The files inside a Qt resource file.

    Args:
        path: the resource file. It has a few megabytes and is read completely.

    Raises:
        ImageError: the file cannot be read, or is not a resource file.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            self._bytes = path.read_bytes()
            magic, version, *offsets = struct.unpack_from(">4s4I", self._bytes)
        except OSError as error:
            raise ImageError(f"{path} cannot be read: {error.strerror}.") from error
        except struct.error as error:
            raise self._damaged() from error
        if magic != b"qres" or not 1 <= version <= NEWEST:
            raise ImageError(f"{path} is not a Qt resource file of version 1 to {NEWEST}.")
        self._tree, self._data, self._names = offsets
        self._node_size = 14 if version == 1 else 22
        try:
            self._files = dict(self._walk(0, "", 0))
        except (struct.error, UnicodeDecodeError) as error:
            raise self._damaged() from error

    @property
    def names(self) -> list[str]:
        """Paths of the files inside, such as `gcompris/src/cat.webp`."""
        return list(self._files)

    def read(self, name: str, most: int) -> bytes:
        """The content of a file inside.

        Args:
            name: one of `names`.
            most: maximum size in bytes.

        Raises:
            ImageError: the file is missing, damaged, too large, or its compression is unknown.
        """
        if name not in self._files:
            raise ImageError(f"{self.path} holds no {name}.")
        offset, flags = self._files[name]
        try:
            (length,) = struct.unpack_from(">I", self._bytes, offset)
            data = self._bytes[offset + 4 : offset + 4 + length]
            if len(data) < length or flags & ~COMPRESSED:
                raise self._damaged()
            if flags & COMPRESSED:
                unpacker = zlib.decompressobj()
                data = unpacker.decompress(data[4:], most + 1)
        except (struct.error, zlib.error) as error:
            raise self._damaged() from error
        if len(data) > most:
            raise ImageError(f"{name} in {self.path} has over {most} bytes.")
        return data

    def _walk(self, number: int, name: str, depth: int) -> Iterator[tuple[str, tuple[int, int]]]:
        """Paths of the files below a node, each with the position of its data and its flags."""
        if depth > MAX_DEPTH:
            raise self._damaged()
        at = self._tree + number * self._node_size
        (flags,) = struct.unpack_from(">H", self._bytes, at + 4)
        if not flags & FOLDER:
            (offset,) = struct.unpack_from(">I", self._bytes, at + 10)
            yield name, (self._data + offset, flags)
            return
        count, first = struct.unpack_from(">II", self._bytes, at + 6)
        if count and not number < first <= first + count <= self._nodes():
            raise self._damaged()
        for child in range(first, first + count):
            own = self._name(child)
            yield from self._walk(child, f"{name}/{own}" if name else own, depth + 1)

    def _nodes(self) -> int:
        """Upper limit of the number of nodes in the file."""
        nodes: int = (len(self._bytes) - self._tree) // self._node_size
        return nodes

    def _name(self, number: int) -> str:
        (offset,) = struct.unpack_from(">I", self._bytes, self._tree + number * self._node_size)
        at = self._names + offset
        (length,) = struct.unpack_from(">H", self._bytes, at)
        return self._bytes[at + 6 : at + 6 + 2 * length].decode("utf-16-be")

    def _damaged(self) -> ImageError:
        return ImageError(f"{self.path} is damaged. Install its package again.")
