"""Serves the page: files of the bundle are cached permanently, the document that names them never."""

from __future__ import annotations

import mimetypes
from pathlib import Path

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

STATIC = Path(__file__).parent / "static"

_NOT_BUILT = """The dashboard's page was not built into this installation; the API under /api works.

In a checkout, `make setup` builds it (it needs the npm registry once). An installed wheel always contains it.
"""
_NOT_FOUND = "There is no such file.\n"


class PageFiles:
    """The bundle's files, read into memory once at start."""

    def __init__(self, folder: Path = STATIC) -> None:
        files = (file for file in folder.rglob("*") if file.is_file() and not file.name.startswith("."))
        self._files = {file.relative_to(folder).as_posix(): file.read_bytes() for file in files}

    async def serve(self, request: Request) -> Response:
        """Return a file of the bundle, or the page's document for every other path outside assets/ and api/."""
        name = request.url.path.removeprefix("/")
        if name in self._files and name != "index.html":
            media_type = mimetypes.guess_type(name)[0] or "application/octet-stream"
            caching = "public, max-age=31536000, immutable" if name.startswith("assets/") else "no-cache"
            return Response(self._files[name], media_type=media_type, headers={"cache-control": caching})
        if name.startswith(("assets/", "api/")):
            return PlainTextResponse(_NOT_FOUND, status_code=404)
        document = self._files.get("index.html")
        if document is None:
            return PlainTextResponse(_NOT_BUILT, status_code=503)
        return Response(document, media_type="text/html", headers={"cache-control": "no-cache"})
