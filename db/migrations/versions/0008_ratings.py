"""Put ratings of captions, good or bad, in the place of their flags, which become bad ratings.

A rating is of a caption as a model with these settings made it.
"""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    op.create_table(
        "rating",
        sa.Column("shard", sa.Integer(), nullable=False),
        sa.Column("i", sa.Integer(), nullable=False),
        sa.Column("model_id", sa.Integer(), nullable=False),
        sa.Column("settings_hash", sa.String(), nullable=False),
        sa.Column("good", sa.Boolean(), nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(["shard"], ["shard.number"]),
        sa.PrimaryKeyConstraint("shard", "i", "model_id", "settings_hash"),
    )
    op.execute(
        "INSERT INTO rating (shard, i, model_id, settings_hash, good, reason) SELECT shard, i,"
        " model_id, coalesce(settings_hash, ''), 0, reason FROM caption_flag LEFT JOIN model ON"
        " model.id = caption_flag.model_id"
    )
    op.drop_table("caption_flag")
