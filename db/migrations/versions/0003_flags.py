"""Add the table of flags: records that a person marked for later."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    op.create_table(
        "flag",
        sa.Column("shard", sa.Integer(), nullable=False),
        sa.Column("i", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["shard"], ["shard.number"]),
        sa.PrimaryKeyConstraint("shard", "i"),
    )
