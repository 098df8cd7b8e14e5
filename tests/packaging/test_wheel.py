"""The wheel that users install, built from the sdist, in an environment without access to the sources."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
UV = str(Path(sys.executable).with_name("uv"))

pytestmark = pytest.mark.xdist_group("packaging")


def run(*command: str | Path, cwd: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("POSTIL_", "PYTHON"))}
    result = subprocess.run(
        [str(part) for part in command],
        cwd=cwd,
        env=clean | environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, f"{command}\n{result.stdout[-3000:]}\n{result.stderr[-3000:]}"
    return result


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder with the sdist of this tree and the wheel made from that sdist."""
    dist = tmp_path_factory.mktemp("dist")
    run(sys.executable, "-m", "build", "--no-isolation", "--outdir", dist, ROOT, cwd=dist)
    return dist


def one(folder: Path, pattern: str) -> Path:
    (file,) = folder.glob(pattern)
    return file


def environment_with(wheel: str, packages: tuple[str, ...], where: Path) -> Path:
    run(UV, "venv", "--quiet", "--python", sys.executable, where, cwd=where.parent)
    python = where / "bin" / "python"
    run(UV, "pip", "install", "--quiet", "--python", python, *packages, wheel, cwd=where.parent)
    return python


@pytest.fixture(scope="module")
def everything(built: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The Python of a fresh environment with the wheel and every extra, at the versions of the lock file."""
    folder = tmp_path_factory.mktemp("everything")
    wheel = f"{one(built, '*.whl')}[all]"
    return environment_with(wheel, ("--constraint", unhashed(folder)), folder / "venv")


@pytest.fixture(scope="module")
def write_side(built: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The Python of a fresh environment with the wheel alone."""
    folder = tmp_path_factory.mktemp("write_side")
    return environment_with(str(one(built, "*.whl")), ("--constraint", unhashed(folder)), folder / "venv")


def unhashed(folder: Path) -> str:
    """Return a file with the versions of the lock file without hashes: a new wheel has no hash in it."""
    lines = (ROOT / "requirements.txt").read_text("utf-8").splitlines()
    constraints = folder / "constraints.txt"
    constraints.write_text("\n".join(line.removesuffix("\\").strip() for line in lines if "==" in line))
    return str(constraints)


def test_the_wheel_has_the_files_that_are_not_python(built: Path) -> None:
    """The wheel has the SQL, the migrations, the Kafka lock and the page, and only the four packages."""
    names = zipfile.ZipFile(one(built, "*.whl")).namelist()
    assert "postil/postgres/sql/functions/annotate/store.sql" in names
    assert "postil/postgres/sql/tables/event.sql" in names
    assert "postil/postgres/migrations/versions/0001_ground_floor.py" in names
    assert "postil_stack/servers/kafka.lock.toml" in names
    assert "postil_consumers/dashboard/static/index.html" in names
    assert {name.split("/")[0].split("-")[0] for name in names} == {
        "postil",
        "postil_relay",
        "postil_consumers",
        "postil_stack",
    }


def test_the_sdist_has_the_tests_and_no_local_files(built: Path) -> None:
    """The sdist has the tests, and no environment, data directory or node_modules."""
    with tarfile.open(one(built, "*.tar.gz")) as archive:
        names = [name.split("/", 1)[1] for name in archive.getnames() if "/" in name]
    assert "tests/packaging/test_wheel.py" in names
    assert [
        name for name in names if "node_modules" in name or ".venv" in name or name.startswith(".postil")
    ] == []


def test_the_full_install_writes_and_lists_all_commands(
    everything: Path, database_url: str, tmp_path: Path
) -> None:
    """The wheel with all extras writes an annotation and lists every command."""
    script = """
import importlib.util, json, sys
import postil, postil_relay, postil_consumers, postil_stack
from postil import Decision, Postil
assert importlib.util.find_spec("core") is None
handle = Postil(sys.argv[1])
handle.create_run("r")
(noted,) = handle.annotate("r", Decision(outcome="go"))
print(json.dumps({"file": postil.__file__, "run_seq": noted.run_seq}))
"""
    answer = json.loads(run(everything, "-c", script, database_url, cwd=tmp_path).stdout)
    assert answer["run_seq"] == 2
    assert Path(answer["file"]).is_relative_to(everything.parents[1])
    shown = run(everything.with_name("postil"), "--help", cwd=tmp_path, COLUMNS="200").stdout
    for command in (
        "up",
        "down",
        "status",
        "migrate",
        "relay",
        "consume",
        "serve",
        "import",
        "verify",
        "audit",
        "bench",
        "doctor",
    ):
        assert f" {command} " in shown, command


def test_the_write_side_installs_without_kafka(write_side: Path, database_url: str, tmp_path: Path) -> None:
    """The wheel without extras writes and migrates, and needs neither Kafka nor a web server."""
    script = """
import importlib.util, sys
from postil import Postil
assert importlib.util.find_spec("confluent_kafka") is None
assert importlib.util.find_spec("fastapi") is None
Postil(sys.argv[1]).create_run("r")
"""
    run(write_side, "-c", script, database_url, cwd=tmp_path)
    migrated = run(
        write_side.with_name("postil"), "migrate", "--json", "--database-url", database_url, cwd=tmp_path
    )
    assert json.loads(migrated.stdout)["changed"] is False
