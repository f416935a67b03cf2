"""Add the table of flagged captions: those that a person marked, each with a reason."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    op.create_table(
        "caption_flag",
        sa.Column("shard", sa.Integer(), nullable=False),
        sa.Column("i", sa.Integer(), nullable=False),
        sa.Column("model_id", sa.Integer(), nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(["shard"], ["shard.number"]),
        sa.PrimaryKeyConstraint("shard", "i", "model_id"),
    )
