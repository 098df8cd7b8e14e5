"""`postil demo` runs a real workflow over a folder. `postil answer` sends the answer to its question."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from postil.cli.console import err, exit_with, out, print_json

if TYPE_CHECKING:
    from types import FrameType

    from postil.model.json_text import Json
    from postil.settings import Settings


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command("demo")(demo)
    app.command("answer")(answer)


def demo(
    folder: Annotated[
        Path, typer.Argument(metavar="[DIR]", help="Folder to review; it is only read.")
    ] = Path(),
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="Files to read at most.")] = 200,
    wait: Annotated[
        float | None,
        typer.Option(min=0, max=31_536_000, help="Seconds to wait for the answer (default: no limit)."),
    ] = None,
    tenant: Annotated[str | None, typer.Option(help="Tenant to write to (default: POSTIL_TENANT).")] = None,
    database_url: Annotated[
        str | None, typer.Option(help="Database to write to (default: POSTIL_DATABASE_URL).")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Review a folder, recorded as it happens: read and hash its files, decide, ask for approval, write a report.

    The question can be answered on the page or with `postil answer`. Ctrl-C cancels the run.
    """
    import signal

    from postil import Postil
    from postil.errors import ConfigurationError, PostilError, RunCancelled
    from postil.settings import load_settings

    try:
        from postil_stack.demo import review
    except ModuleNotFoundError as missing:
        raise ConfigurationError(
            f"The demonstration needs {missing.name}.", advice="pip install 'postil[import]'"
        ) from None

    settings = load_settings(database_url=database_url, tenant=tenant)
    postil = Postil(settings.require_database_url(), tenant=settings.tenant)
    signal.signal(signal.SIGTERM, _interrupt)  # a supervisor's stop cancels the run as Ctrl-C does
    try:
        outcome = review(
            postil,
            folder,
            settings.data_dir / "reports",
            limit=limit,
            wait=wait,
            on_run=lambda run_id: err.print(f"run {run_id}: reading {folder.resolve()}"),
            on_question=lambda run_id, prompt: _show_question(settings, run_id, prompt),
        )
    except KeyboardInterrupt:
        err.print("Interrupted: the run was cancelled.")
        exit_with(2)
    except TimeoutError as error:
        raise PostilError(
            str(error), advice="Run it again and answer in time. The run is recorded as failed."
        ) from None
    except RunCancelled as error:
        raise PostilError(
            error.what, advice="Another user or process cancelled the run. No report was written."
        ) from None
    finally:
        postil.close()
    if as_json:
        report = str(outcome.report) if outcome.report else None
        print_json(
            {"run_id": outcome.run_id, "files": outcome.files, "flagged": outcome.flagged, "report": report}
        )
    elif outcome.report:
        out.print(f"{outcome.files:,} files, {outcome.flagged:,} flagged; report in {outcome.report}")
    else:
        out.print(
            f"{outcome.files:,} files, {outcome.flagged:,} flagged; declined, so no report was written",
        )


def answer(
    run_id: Annotated[str, typer.Argument(metavar="RUN", help="The waiting run.")],
    interaction_id: Annotated[str, typer.Argument(metavar="INTERACTION", help="The id of its question.")],
    text: Annotated[
        str,
        typer.Argument(
            metavar="accept|decline", help="The answer. Any JSON or text if the question is not an approval."
        ),
    ],
    who: Annotated[
        str | None, typer.Option("--as", help="The user who gives the answer (default: your user name).")
    ] = None,
    note: Annotated[str | None, typer.Option(help="The reason.")] = None,
    tenant: Annotated[str | None, typer.Option(help="Tenant of the run (default: POSTIL_TENANT).")] = None,
    database_url: Annotated[str | None, typer.Option(help="Database (default: POSTIL_DATABASE_URL).")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Answer a question that a run waits for. Only the first answer counts."""
    from postil import Postil, user
    from postil.settings import load_settings

    settings = load_settings(database_url=database_url, tenant=tenant)
    postil = Postil(settings.require_database_url(), tenant=settings.tenant)
    try:
        receipt = postil.resolve_interaction(
            run_id, interaction_id, _value(text, note), actor=user(_user_name() if who is None else who)
        )
    finally:
        postil.close()
    if as_json:
        print_json(
            {
                "run_id": run_id,
                "interaction_id": receipt.id,
                "run_seq": receipt.run_seq,
                "created": receipt.created,
            }
        )
    else:
        state = "recorded" if receipt.created else "was recorded before"
        out.print(f"{run_id}: answer {state} as event {receipt.run_seq}")


def _value(text: str, note: str | None) -> Json:
    import json

    from postil.errors import InvalidInput
    from postil.model.json_text import MAX_DEPTH

    if text in {"accept", "decline"}:
        return {"outcome": text, "note": note} if note is not None else {"outcome": text}
    try:
        value: Json = json.loads(text)
    except ValueError:
        value = text
    except RecursionError:
        raise InvalidInput(f"answer is nested deeper than {MAX_DEPTH} levels.", field="answer") from None
    return value if note is None else {"value": value, "note": note}


def _user_name() -> str:
    import getpass

    try:
        return getpass.getuser()
    except (KeyError, OSError, ImportError):
        return "unknown"


def _show_question(settings: Settings, run_id: str, prompt: str) -> None:
    from postil_stack.demo.workflow import QUESTION

    page = f"http://{settings.http_host}:{settings.http_port}"
    err.print(prompt)
    err.print(f"  answer on {page} or: postil answer {run_id} {QUESTION} accept")


def _interrupt(_signal: int, _frame: FrameType | None) -> NoReturn:
    raise KeyboardInterrupt
