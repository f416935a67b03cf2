"""Add exports, what a retry asks for, what GPUs measure, and how long models wait for images."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"

SUMMED = ["model_id", "state", "captioned", "failed", "left", "count", "empty"]


def upgrade() -> None:
    op.add_column("task", sa.Column("asked", sa.Integer(), nullable=False, server_default="0"))
    op.drop_index("task_sums", table_name="task")
    op.create_index("task_sums", "task", [*SUMMED, "asked"])
    for name in ("temperature", "power", "power_limit"):
        op.add_column("device", sa.Column(name, sa.Float(), nullable=True))
    waited = sa.Column("image_wait", sa.Float(), nullable=False, server_default="0")
    op.add_column("worker", waited)
    op.create_table(
        "export",
        sa.Column("id", sa.Integer(), primary_key=True),
        sa.Column("created", sa.Float(), nullable=False),
        sa.Column("path", sa.String(), nullable=False),
        sa.Column("format", sa.String(), nullable=False),
        sa.Column("captions", sa.Integer(), nullable=False),
        sa.Column("images", sa.Integer(), nullable=False),
    )
