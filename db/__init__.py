"""The project's database: tables, migrations, and every query by name.

Query functions take an open connection, which `db.connection` opens, and return the frozen
dataclasses of `db.rows`.

Process: supervisor, commands, the application, training scripts; never a worker.
May import: SQLAlchemy, SQLModel and Alembic; none of our other packages.
Must never: import torch or Textual, or hand SQL and tables to its callers.
"""
