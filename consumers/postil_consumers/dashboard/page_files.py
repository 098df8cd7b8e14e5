"""Serves the page: the bundle's files for ever, the document that names them never from a cache."""

from __future__ import annotations

import mimetypes
from pathlib import Path

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

STATIC = Path(__file__).parent / "static"

_MISSING = """The dashboard's page was not built into this installation; the API under /api works.

In a checkout, `make setup` builds it (it needs the npm registry once). An installed wheel always carries it.
"""
_NO_SUCH_PAGE = "There is no such file.\n"


class Pages:
    """The bundle in memory: a few small files, read once at start."""

    def __init__(self, folder: Path = STATIC) -> None:
        files = (file for file in folder.rglob("*") if file.is_file() and not file.name.startswith("."))
        self._files = {file.relative_to(folder).as_posix(): file.read_bytes() for file in files}

    async def answer(self, request: Request) -> Response:
        """A file of the bundle, or, for every address of the page itself, its document."""
        name = request.url.path.removeprefix("/")
        if name in self._files and name != "index.html":
            kind = mimetypes.guess_type(name)[0] or "application/octet-stream"
            keep = "public, max-age=31536000, immutable" if name.startswith("assets/") else "no-cache"
            return Response(self._files[name], media_type=kind, headers={"cache-control": keep})
        if name.startswith(("assets/", "api/")):
            return PlainTextResponse(_NO_SUCH_PAGE, status_code=404)
        document = self._files.get("index.html")
        if document is None:
            return PlainTextResponse(_MISSING, status_code=503)
        return Response(document, media_type="text/html", headers={"cache-control": "no-cache"})
