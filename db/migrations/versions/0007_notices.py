"""Add what users are told of runs, and whether their hooks were called with it."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"

KINDS = "'finished', 'stopped', 'killed', 'paused', 'model_blocked', 'health_alarm', 'disk_low'"
STATES = "'waiting', 'claimed', 'done', 'failed'"


def upgrade() -> None:
    op.create_table(
        "notice",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("created", sa.Float(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("text", sa.String(), nullable=False),
        sa.Column("model", sa.String(), nullable=True),
        sa.Column("cause", sa.String(), nullable=True),
        sa.Column("key", sa.String(), nullable=True),
        sa.CheckConstraint(f"kind IN ({KINDS})", name="known_notice_kind"),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("key"),
    )
    op.create_table(
        "delivery",
        sa.Column("notice_id", sa.Integer(), nullable=False),
        sa.Column("hook", sa.String(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("claimed", sa.Float(), nullable=True),
        sa.Column("detail", sa.String(), nullable=True),
        sa.CheckConstraint(f"state IN ({STATES})", name="known_delivery_state"),
        sa.ForeignKeyConstraint(["notice_id"], ["notice.id"]),
        sa.PrimaryKeyConstraint("notice_id", "hook"),
    )
