"""Add the wait of a model whose server does not answer."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    op.add_column("model", sa.Column("unavailable", sa.String(), nullable=True))
    op.add_column("model", sa.Column("not_before", sa.Float(), nullable=False, server_default="0"))
