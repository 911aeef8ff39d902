"""PostgreSQL: tables, migrations, the unit of work and the statements that claim and record."""
