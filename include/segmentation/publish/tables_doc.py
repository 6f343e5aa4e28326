"""The page about the warehouse tables, written from the comments that the tables carry.

``segmentation docs`` writes it anew.
"""

from __future__ import annotations

from sqlalchemy import Table
from sqlalchemy.dialects import postgresql

from segmentation.catalog import MARTS, OPS
from segmentation.publish.example_query import ExampleQuery, example_queries
from segmentation.warehouse import metadata, views

_HEAD = """\
# Tables

Written from the SQL comments of the tables (`segmentation docs`); in psql,
`\\d+ marts.customer_segments` shows the same. A night's labels come in one transaction: a query sees last night or
tonight, nothing between. A day that failed changes nothing here; one that is held only adds labels of customers who
came since (`provisional`). Within the day labels of some customers may be brought forward (`source`). To do a day
again, or a range of days, see `airflow backfill create` in the README; once the
days that `ops.runs` calls stale have been run again, the tables are as if all days had been run once, in order. The
queries below each table may be run as they stand:
`segmentation sql "…"`, or as role `marketing` with any tool.
"""
_SCHEMAS = {
    MARTS: (
        "For marketing. Role `marketing` may read these tables and nothing else; `segmentation_publish` writes them."
    ),
    OPS: "For data engineers: what ran, when and why. `marketing` sees nothing of it.",
}


def tables_doc() -> str:
    """Return the page (Markdown): each schema and table, each column with type and meaning, and example queries."""
    parts = [_HEAD]
    for schema, purpose in _SCHEMAS.items():
        parts.append(f"## {schema}\n\n{purpose}\n")
        described = [*metadata.tables.values(), *views.tables.values()]
        parts.extend(_section(table) for table in described if table.schema == schema)
    return "\n".join(parts)


def _section(table: Table) -> str:
    dialect = postgresql.dialect()
    lines = [f"### {table.fullname}\n", f"{table.comment}\n", "| column | type | null | meaning |", "|---|---|---|---|"]
    for column in table.columns:
        name = f"**{column.name}**" if column.primary_key else column.name
        kind = column.type.compile(dialect=dialect).lower().replace("timestamp with time zone", "timestamptz")
        null = "yes" if column.nullable else "no"
        lines.append(f"| {name} | {kind} | {null} | {(column.comment or '').replace('|', chr(92) + '|')} |")
    lines += [f"\n{query.title}\n\n```sql\n{query.sql}\n```" for query in _examples(table)]
    return "\n".join(lines) + "\n"


def _examples(table: Table) -> tuple[ExampleQuery, ...]:
    return example_queries(table.name) if table.schema == MARTS else ()
