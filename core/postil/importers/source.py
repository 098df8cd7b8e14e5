"""One input file: checked when opened, decompressed if it is gzip, and read in chunks so that memory stays bounded."""

from __future__ import annotations

import gzip
import stat
import zlib
from collections.abc import Iterator
from io import BufferedReader
from pathlib import Path
from typing import Self

from postil.importers.errors import InputUnreadable, MalformedInput

CHUNK = 256 * 1024  # bytes
_GZIP = b"\x1f\x8b"


class Source:
    """A regular file. `size` and `consumed` count its bytes on disk, for a progress bar.

    `stem` is the file's name without its suffix, if that is one of `suffixes`.
    """

    def __init__(self, path: Path, suffixes: tuple[str, ...] = ()) -> None:
        """Open the file. Raises `InputUnreadable` if it is missing, is not a regular file, or cannot be read."""
        self.path = path
        self.stem = _stem(path, suffixes)
        try:
            status = path.stat()
            if stat.S_ISDIR(status.st_mode):
                raise InputUnreadable(path, "This is a directory.", advice="Name the files in it.")
            if not stat.S_ISREG(status.st_mode):
                raise InputUnreadable(
                    path, "This is not a regular file.", advice="Save its content to a file first."
                )
            self._raw: BufferedReader = path.open("rb")
        except FileNotFoundError:
            raise InputUnreadable(path, "There is no such file.", advice="Check the path.") from None
        except PermissionError:
            raise InputUnreadable(
                path, "Permission to read it is denied.", advice="Check its permissions."
            ) from None
        except (OSError, ValueError) as error:
            why = getattr(error, "strerror", None) or error
            raise InputUnreadable(path, f"It cannot be opened: {why}.", advice="Check the path.") from None
        self.size = status.st_size

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._raw.close()

    @property
    def consumed(self) -> int:
        """How many bytes of the file were read so far."""
        return 0 if self._raw.closed else self._raw.tell()

    def chunks(self) -> Iterator[bytes]:
        """Yield the content in chunks, decompressed if it is gzip. Gzip is recognised by its first bytes, not by the name.

        Raises `MalformedInput` for broken gzip, with the byte of the decompressed content where it is broken.
        """
        unpacked = 0
        try:
            packed = self._raw.read(2) == _GZIP
            self._raw.seek(0)
            stream = gzip.GzipFile(fileobj=self._raw) if packed else self._raw
            # read1, because read would lose the bytes it has decompressed if the next block is cut off.
            while chunk := stream.read1(CHUNK):
                unpacked += len(chunk)
                yield chunk
        except EOFError:
            raise MalformedInput(
                self.path,
                f"byte {self.size:,} (unpacked {unpacked:,})",
                "The gzip file ends too early: it was cut off.",
                advice="Fetch it again; the import completes what is missing.",
            ) from None
        except (gzip.BadGzipFile, zlib.error) as error:
            raise MalformedInput(
                self.path,
                f"byte {self.consumed:,} (unpacked {unpacked:,})",
                f"The gzip file is damaged: {error}.",
                advice="Fetch it again; the import completes what is missing.",
            ) from None
        except OSError as error:
            raise InputUnreadable(
                self.path,
                f"Reading failed: {error.strerror or error}.",
                advice="Check the disk, then import again.",
            ) from None


def _stem(path: Path, suffixes: tuple[str, ...]) -> str:
    name = path.name.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
    for suffix in sorted(suffixes, key=len, reverse=True):
        if name.lower().endswith(suffix):
            return name[: -len(suffix)] or name
    return name
