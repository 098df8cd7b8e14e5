"""Keeps links to files outside ``docs/`` valid on the built site.

In the repository, a page links to the source as ``../core/postil/errors.py``. The site does not contain that file,
so there the link becomes its text and the file's path. A link to a file that does not exist is a warning,
and a warning ends ``mkdocs build --strict``.
"""

from __future__ import annotations

import logging
import posixpath
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mkdocs.config.defaults import MkDocsConfig
    from mkdocs.structure.pages import Page

logger = logging.getLogger("mkdocs.hooks.repository_links")

LINK = re.compile(r"(?<!!)\[(?P<text>[^\]]+)\]\((?P<target>[^)\s]+)\)")
"""An inline link of Markdown that is not an image."""


def on_page_markdown(markdown: str, *, page: Page, config: MkDocsConfig, **_: Any) -> str:
    """Replace each link of a page to a file outside ``docs/``. MkDocs calls this function for every page."""
    repository = Path(config.config_file_path).parent
    folder = posixpath.dirname(page.file.src_uri)

    def replacement(link: re.Match[str]) -> str:
        target = link["target"].partition("#")[0]
        path = posixpath.normpath(posixpath.join("docs", folder, target))
        if not target or "://" in target or path.startswith("docs/"):
            return link[0]
        if not (repository / path).exists():
            logger.warning("%s links to %s: the repository has no such file", page.file.src_uri, path)
        text = link["text"]
        return text if path in text else f"{text} (`{path}`)"

    return LINK.sub(replacement, markdown)
