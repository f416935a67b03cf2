"""Add causes and results as values, which programs read, beside the texts for people.

Earlier versions stored the texts alone: the causes of what they left are found by their words, this
once.
"""

import json
from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"

PAUSE_CAUSES = "'user', 'disk_full', 'cannot_write', 'root_lost', 'devices_lost'"
UNAVAILABLE_CAUSES = "'unreachable', 'overloaded', 'failing', 'model_not_served', 'unauthorized'"
BLOCKED_CAUSES = "'memory', 'checkpoint', 'error', 'died'"
ERROR_CAUSES = (
    "'killed', 'crashed', 'exited', 'failed', 'out_of_memory', 'hung', 'stuck_read',"
    " 'protocol_error', 'machine_lost', 'stopped', 'server_unavailable', 'model_blocked',"
    " 'shard_missing', 'shard_changed', 'shard_unreadable', 'log_incomplete', 'cannot_write',"
    " 'withdrawn'"
)

# Regular expressions for the texts of earlier versions; the first that matches counts.
PAUSE_REASONS = {
    r"^the disk is full$": "disk_full",
    r"^the project cannot be written: ": "cannot_write",
    r"is the image root mounted\?$": "root_lost",
    r"^every device is lost$": "devices_lost",
}
UNAVAILABLE_TEXTS = {
    r"^\S+: HTTP 40[13]\b|^the key in ": "unauthorized",
    r"^\S+: HTTP 404\b|^\S+ serves |^\S+ does not say what it serves": "model_not_served",
    r"^\S+: HTTP (408|429|503|504|529)\b|^\S+: out of quota: ": "overloaded",
    r"^\S+ cannot be reached: |^\S+ does not (answer|take a connection) within ": "unreachable",
}
BLOCKED_TEXTS = {
    r"^(killed by signal|exit code|it wrote) ": "died",
    r"^(OutOfMemoryError|MemoryError)\b": "memory",
    r"^\w+: ": "error",  # an exception's type and message
}
ERRORS = {
    r"^the model cannot be loaded: ": "model_blocked",
    r"^killed by signal (9|15)\b": "killed",
    r"^killed by signal ": "crashed",
    r"^exit code ": "exited",
    r"^it wrote ": "protocol_error",
    r"^no (sign of life|caption) for ": "hung",
    r"^reading .* does not end$": "stuck_read",
    r"^(OutOfMemoryError|MemoryError)\b": "out_of_memory",
    r"^\w+: ": "failed",  # an exception's type and message
    r" is missing since the input was split$": "shard_missing",
    r" was changed since the input was split$": "shard_changed",
    r"^\S+ cannot be read: ": "shard_unreadable",
    r" have no row in | ends in the middle of a row$": "log_incomplete",
    r"^https?://": "server_unavailable",
    r"^\[Errno ": "cannot_write",
    r"^taken back$": "withdrawn",
}


def upgrade() -> None:
    add_cause("project", "pause_cause", PAUSE_CAUSES)
    add_cause("model", "unavailable_cause", UNAVAILABLE_CAUSES)
    add_cause("model", "blocked_cause", BLOCKED_CAUSES)
    add_cause("task", "error_cause", ERROR_CAUSES)
    op.execute("ALTER TABLE request ADD COLUMN result VARCHAR")
    fill_cause("project", "pause_cause", "pause_reason", PAUSE_REASONS, "user", "paused")
    fill_cause("model", "unavailable_cause", "unavailable", UNAVAILABLE_TEXTS, "failing")
    fill_cause("model", "blocked_cause", "blocked", BLOCKED_TEXTS, "checkpoint")
    fill_cause("task", "error_cause", "error", ERRORS, None)
    fill_results()


def add_cause(table: str, column: str, values: str) -> None:
    """Add a column that holds one of `values`, or NULL.

    It is plain SQL because alembic can add a constraint only by copying the whole table.
    """
    op.execute(
        f"ALTER TABLE {table} ADD COLUMN {column} VARCHAR"
        f" CONSTRAINT known_{column} CHECK ({column} IN ({values}))"
    )


def fill_cause(
    name: str,
    cause: str,
    text: str,
    causes: dict[str, str],
    otherwise: str | None,
    condition: str | None = None,
) -> None:
    """Set the column `cause` by the words in the column `text`.

    It is set where the column `condition` is true, or without one where there is a text.
    """
    columns = [cause, text] + ([condition] if condition else [])
    table = sa.table(name, *map(sa.column, columns))
    value = sa.case(
        *((table.c[text].regexp_match(pattern), result) for pattern, result in causes.items()),
        else_=otherwise,
    )
    where = table.c[text].is_not(None) if condition is None else table.c[condition] == sa.true()
    op.execute(sa.update(table).where(where).values({cause: value}))


def json_object(text: str | None) -> dict[str, Any]:
    """Return the JSON object in a text, an empty one if there is none."""
    try:
        value = json.loads(text or "{}")
    except (TypeError, ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}


def fill_results() -> None:
    """Move the results of `exclude`, which were JSON in the note, to a column of their own."""
    columns = ("id", "kind", "state", "payload", "note", "result")
    request = sa.table("request", *map(sa.column, columns))
    answered = (request.c.kind == "exclude", request.c.state == "done")
    connection = op.get_bind()
    for row in connection.execute(sa.select(request).where(*answered)).all():
        result, payload = json_object(row.note), json_object(row.payload)
        if not {"records", "shards"} <= result.keys():
            continue  # the first versions wrote a text for people
        done = "excluded" if payload.get("exclude", True) else "taken back in"
        note = f"{done}: {result['records']} records of {result['shards']} shards"
        changes = {"note": note, "result": row.note}
        connection.execute(sa.update(request).where(request.c.id == row.id).values(changes))
