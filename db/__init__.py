"""What is remembered: SQLModel tables, migrations, and every query by name.

Query functions take an open connection and hand out the frozen dataclasses of `db.rows`;
`db.connection` opens the connections.
"""
