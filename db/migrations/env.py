"""Alembic's script around the migrations; `db.connection.migrate` passes the connection.

It imports nothing of ours: Alembic runs it under a name of its own, in training scripts, too.
"""

from alembic import context

context.configure(
    connection=context.config.attributes["connection"],
    render_as_batch=True,
    transactional_ddl=True,
)
context.run_migrations()
