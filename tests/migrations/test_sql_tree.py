"""The rules of the SQL tree: what the linter cannot see, because it takes the bodies of functions for text."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import psycopg
import pytest

from postil.postgres.migrate import sql_files

ROOT = Path(__file__).parents[2]
SQL = ROOT / "core/postil/postgres/sql"
FILES = sorted(SQL.rglob("*.sql"))
BODY = re.compile(r"as (\$\w*\$)(.*?)\1", re.DOTALL)
TEXT = re.compile(r"--[^\n]*|'(?:[^']|'')*'")
KEYWORD = re.compile(
    r"\b(SELECT|INSERT|UPDATE|DELETE|FROM|WHERE|AND|OR|NOT|NULL|CASE|WHEN|THEN|ELSE|END|IF|BEGIN|RETURN|PERFORM)\b"
)
OURS = """
select p.oid::regprocedure::text, p.proname, l.lanname, p.oid from pg_proc p join pg_language l on l.oid = p.prolang
 where p.pronamespace = 'postil'::regnamespace and l.lanname in ('sql', 'plpgsql') order by 1
"""


def bodies(text: str) -> list[str]:
    """Return the bodies of the functions in a file, without comments and string literals."""
    return [TEXT.sub("", body) for _, body in BODY.findall(text)]


def rows_of(url: str, query: str) -> list[tuple[object, ...]]:
    """Return the rows of a query."""
    with psycopg.connect(url) as connection:
        return connection.execute(query).fetchall()


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(SQL)))
def test_keywords_in_bodies_are_lower_case(file: Path) -> None:
    """A function's body is written in lower case, as the linter demands of the rest of the file."""
    assert [keyword for body in bodies(file.read_text()) for keyword in KEYWORD.findall(body)] == []


def test_upper_case_in_a_body_is_found() -> None:
    """The search for keywords reads bodies, and skips comments and string literals."""
    text = "create function f() returns void language sql as $$ SELECT 'NOT' -- AND\n $$;"
    assert [keyword for body in bodies(text) for keyword in KEYWORD.findall(body)] == ["SELECT"]


def test_two_functions_insert_events() -> None:
    """Only the shared append and the hot path of annotations insert into postil.event."""
    inserts = {
        str(file.relative_to(SQL)): file.read_text().count("insert into postil.event (") for file in FILES
    }
    assert {name: count for name, count in inserts.items() if count} == {
        "functions/annotate/store.sql": 1,
        "functions/append/append.sql": 1,
    }


def test_every_function_compiles(database_url: str) -> None:
    """Every body parses and finds what it names, although the installation creates functions in any order."""
    with psycopg.connect(database_url) as connection:
        functions = connection.execute(OURS).fetchall()
        for _, _, language, oid in functions:
            validator = "plpgsql_validator" if language == "plpgsql" else "fmgr_sql_validator"
            connection.execute(f"select {validator}(%s)", [oid])
    assert len(functions) > 50


def test_a_body_that_does_not_parse_is_found(database_url: str) -> None:
    """The server's validator refuses a body that it accepted while check_function_bodies was off."""
    with psycopg.connect(database_url) as connection:
        connection.execute("set check_function_bodies = off")
        connection.execute(
            "create function postil.wrong() returns void language plpgsql as $$ begin selec 1; end $$"
        )
        connection.execute("set check_function_bodies = on")
        with pytest.raises(psycopg.errors.SyntaxError):
            connection.execute("select plpgsql_validator('postil.wrong()'::regprocedure)")


def test_public_functions_are_documented(database_url: str) -> None:
    """Every public function has a comment with its parameters, what it returns and what it raises."""
    query = """
    select p.proname, p.proargnames[:p.pronargs], obj_description(p.oid, 'pg_proc') from pg_proc p
     where p.pronamespace = 'postil'::regnamespace and p.proname !~ '^_' and p.prorettype <> 'trigger'::regtype
       and p.proname not in ('uuidv7', 'envelope', 'percent_encode')
    """
    functions = rows_of(database_url, query)
    assert len(functions) == 20
    for name, parameters, comment in functions:
        assert isinstance(comment, str), name
        assert isinstance(parameters, list)
        documented = {
            word for line in comment.split("\n") for word in re.split(r"[,\s]+", line.split(":")[0])
        }
        assert set(parameters) - documented == set(), name
        assert "\nReturns " in comment, name
        assert "\nRaises " in comment, name


def test_private_parameters_begin_with_p(database_url: str) -> None:
    """Parameters of private functions begin with p_, so that they never have the name of a column."""
    query = """
    select p.oid::regprocedure::text, n.name
      from pg_proc p cross join lateral unnest(p.proargnames, p.proargmodes) as n(name, mode)
     where p.pronamespace = 'postil'::regnamespace and p.proname ~ '^_'
       and coalesce(n.mode, 'i') = 'i' and n.name !~ '^p_'
    """
    assert rows_of(database_url, query) == []


def test_public_bodies_read_no_table() -> None:
    """A public function only calls private ones, so that its plain parameter names cannot mean columns."""
    publics = re.findall(
        r"create or replace function postil\.([a-z]\w*)\(.*?as \$\$(.*?)\$\$;",
        "\n".join(file.read_text("utf-8") for file in sql_files("functions")),
        re.DOTALL,
    )
    readers = {
        name for name, body in publics if re.search(r"\b(from|into|update|join) postil\.\w+(?!\w|\()", body)
    }
    assert readers == set()


@pytest.mark.parametrize(
    ("rule", "text"),
    [
        ("LT05", f"select 1 as {'a' * 120};\n"),
        ("CP01", "SELECT 1 as a;\n"),
        ("PRS", "create table (;\n"),
        ("AL03", "create view v as select 1 + 1, 2 as a;\n"),
        ("ST03", "with t as (select 1 as a) select 2 as b;\n"),
    ],
)
def test_linter_finds_what_it_is_for(tmp_path: Path, rule: str, text: str) -> None:
    """The configured linter refuses long lines, capitals, SQL that does not parse, and missing aliases."""
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    (tmp_path / "wrong.sql").write_text(text)
    command = [sys.executable, "-m", "sqlfluff", "lint", "--disable-progress-bar", "wrong.sql"]
    result = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (result.returncode, rule in result.stdout) == (1, True), result.stdout
