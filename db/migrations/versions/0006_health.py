"""Add what is known of the health of a model's captions, and why it waits for a person."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    op.add_column("model", sa.Column("health", sa.String(), nullable=False, server_default=""))
    op.add_column("model", sa.Column("health_stop", sa.String(), nullable=True))
