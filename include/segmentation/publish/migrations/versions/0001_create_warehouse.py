"""Create the schemas marts and ops with all their tables."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("create schema if not exists marts")
    op.execute("create schema if not exists ops")
    op.execute(
        "comment on schema marts is "
        "'Customer segments for marketing: who is in which segment, what the segments are, how they move.'"
    )
    op.execute("comment on schema ops is 'What the nightly segmentation did and why; for data engineers.'")
    op.create_table(
        "customer_segments",
        sa.Column("customer_id", sa.Text(), primary_key=True, comment="the shop's customer key, as text"),
        sa.Column(
            "segment_id",
            sa.Integer(),
            nullable=False,
            comment="segment, see marts.segments; 0 = no order yet",
        ),
        sa.Column(
            "segment_name",
            sa.Text(),
            nullable=False,
            comment="the segment's name, copied for convenience",
        ),
        sa.Column(
            "since",
            sa.Date(),
            nullable=False,
            comment="first business day of the present, unbroken stay in this segment",
        ),
        sa.Column(
            "previous_segment_id",
            sa.Integer(),
            comment="segment before this one; null if there was none",
        ),
        sa.Column(
            "confidence",
            sa.Double(),
            nullable=False,
            comment="0 to 1: how clearly nearer this segment is than the next one",
        ),
        sa.Column(
            "reasons",
            postgresql.ARRAY(sa.Text()),
            nullable=False,
            comment="what sets this customer apart, in words, strongest first",
        ),
        sa.Column(
            "rfm_segment",
            sa.Text(),
            nullable=False,
            comment="the classic recency-frequency-monetary name, for comparison",
        ),
        sa.Column(
            "holdout",
            sa.Boolean(),
            nullable=False,
            comment="true: never target, kept to measure campaigns against",
        ),
        sa.Column(
            "as_of",
            sa.Date(),
            nullable=False,
            comment="business day whose end the label describes; the same for all rows",
        ),
        sa.Column(
            "model_version",
            sa.Text(),
            nullable=False,
            comment="encoder that foresaw the behaviour, see ops.models; 'rfm' = none",
        ),
        schema="marts",
        comment=(
            "Grain: customer. Who is in which segment now. Rewritten nightly in one transaction; join"
            " to marts.segments on segment_id. Do not sum confidence."
        ),
        postgresql_with={"fillfactor": 50},
    )
    op.create_index("customer_segments_segment", "customer_segments", ["segment_id"], schema="marts")
    op.create_table(
        "customer_segment_history",
        sa.Column("customer_id", sa.Text(), primary_key=True, comment="the shop's customer key, as text"),
        sa.Column(
            "valid_from",
            sa.Date(),
            primary_key=True,
            comment="first business day of this stay (included)",
        ),
        sa.Column(
            "valid_to",
            sa.Date(),
            comment="first business day after this stay (excluded); null = still there",
        ),
        sa.Column(
            "segment_id",
            sa.Integer(),
            nullable=False,
            comment=(
                "segment during this stay, see marts.segments; one id may mean two segments "
                "while ops.runs calls days stale that were published out of order"
            ),
        ),
        sa.Column("run_id", sa.Text(), nullable=False, comment="run that began this stay, see ops.runs"),
        sa.CheckConstraint("valid_to is null or valid_to > valid_from", name="customer_segment_history_order"),
        schema="marts",
        comment=(
            "Grain: customer, valid_from (slowly changing dimension, type 2). The label on day D is "
            "the row with valid_from <= D and (valid_to is null or valid_to > D)."
        ),
    )
    op.create_index("customer_segment_history_from", "customer_segment_history", ["valid_from"], schema="marts")
    op.create_table(
        "segments",
        sa.Column(
            "segment_id",
            sa.Integer(),
            primary_key=True,
            autoincrement=False,
            comment=(
                "stable id, never reused; 0 = no order yet; days published out of order "
                "may use one id for two segments until the days that ops.runs calls stale are run again"
            ),
        ),
        sa.Column(
            "name",
            sa.Text(),
            nullable=False,
            comment="name made from the data at birth; stays with the id",
        ),
        sa.Column(
            "description",
            sa.Text(),
            nullable=False,
            comment="what sets the segment apart from the shop, in one sentence",
        ),
        sa.Column("status", sa.Text(), nullable=False, comment="active or retired"),
        sa.Column(
            "born_on",
            sa.Date(),
            nullable=False,
            comment="first business day on which the segment existed",
        ),
        sa.Column("retired_on", sa.Date(), comment="first business day without it; null while active"),
        sa.Column(
            "lineage",
            postgresql.JSONB(),
            nullable=False,
            comment="segment ids it came from, with the share of its customers at birth",
        ),
        sa.UniqueConstraint("name"),
        schema="marts",
        comment="Grain: segment. Every segment that ever was, with its stable id and name.",
    )
    op.create_table(
        "segment_profiles",
        sa.Column("as_of", sa.Date(), primary_key=True, comment="business day whose end is described"),
        sa.Column(
            "segment_id",
            sa.Integer(),
            primary_key=True,
            autoincrement=False,
            comment="segment, see marts.segments",
        ),
        sa.Column("customers", sa.Integer(), nullable=False, comment="customers in the segment"),
        sa.Column(
            "share",
            sa.Double(),
            nullable=False,
            comment="customers as a share (0 to 1) of all customers of the day",
        ),
        sa.Column(
            "revenue_28d",
            sa.Numeric(18, 2),
            nullable=False,
            comment="net revenue of the last 28 days, shop currency",
        ),
        sa.Column(
            "revenue_share_28d",
            sa.Double(),
            comment="that as a share (0 to 1) of the shop's; null if the shop sold nothing",
        ),
        sa.Column(
            "orders_28d",
            sa.BigInteger(),
            nullable=False,
            comment="orders of the last 28 days, void ones left out",
        ),
        sa.Column(
            "revenue_365d",
            sa.Numeric(18, 2),
            nullable=False,
            comment="net revenue of the last 365 days, shop currency",
        ),
        sa.Column(
            "orders_365d",
            sa.BigInteger(),
            nullable=False,
            comment="orders of the last 365 days, void ones left out",
        ),
        sa.Column(
            "average_order_value",
            sa.Numeric(18, 2),
            comment="revenue_365d / orders_365d, shop currency; null without orders",
        ),
        sa.Column(
            "recency_days_median",
            sa.Double(),
            comment="days since the last order, median of the customers",
        ),
        sa.Column(
            "days_between_orders_median",
            sa.Double(),
            comment="mean days between a customer's orders, median of the customers",
        ),
        sa.Column(
            "discount_share",
            sa.Double(),
            comment="discount / (revenue + discount) of the last 365 days, 0 to 1",
        ),
        sa.Column(
            "returns_share",
            sa.Double(),
            comment="returned orders / orders of the last 365 days, 0 to 1",
        ),
        sa.Column(
            "sessions_28d",
            sa.BigInteger(),
            comment="clickstream sessions of the last 28 days; null for a shop without events",
        ),
        sa.Column(
            "top_categories",
            postgresql.JSONB(),
            nullable=False,
            comment="categories with share of spend and lift over the shop, best first",
        ),
        sa.Column(
            "expected_spend_28d",
            sa.Double(),
            comment="mean predicted spend per customer, next 28 days; null without a model",
        ),
        sa.Column(
            "expected_churn_28d",
            sa.Double(),
            comment="mean predicted probability of no order in the next 28 days; null without a model",
        ),
        sa.Column(
            "distinctive",
            postgresql.JSONB(),
            nullable=False,
            comment="features that differ most from the shop, in words, strongest first",
        ),
        schema="marts",
        comment=(
            "Grain: as_of, segment. Size, money and habits of each segment on each published day. "
            "Customers, revenue and orders of one as_of may be summed over segments, never over days."
        ),
    )
    op.create_table(
        "segment_transitions",
        sa.Column("as_of", sa.Date(), primary_key=True, comment="business day of the new labels"),
        sa.Column(
            "from_segment_id",
            sa.Integer(),
            primary_key=True,
            autoincrement=False,
            comment="segment before; -1 = new customer",
        ),
        sa.Column(
            "to_segment_id",
            sa.Integer(),
            primary_key=True,
            autoincrement=False,
            comment="segment after; -1 = left the shop's data",
        ),
        sa.Column(
            "customers",
            sa.Integer(),
            nullable=False,
            comment="customers who went this way, staying included (from = to)",
        ),
        sa.Column(
            "by_behaviour",
            sa.Integer(),
            nullable=False,
            comment="of these, moved because they behave differently",
        ),
        sa.Column(
            "by_relabelling",
            sa.Integer(),
            nullable=False,
            comment="of these, moved because segments were born, retired or redrawn",
        ),
        sa.Column(
            "compared_to",
            sa.Date(),
            comment="published day of the labels before; null on the first night",
        ),
        schema="marts",
        comment="Grain: as_of, from, to. How customers moved since the published day before.",
    )
    op.create_table(
        "runs",
        sa.Column(
            "run_id",
            sa.Text(),
            primary_key=True,
            comment="Airflow run id, or cli__<day>__<time> of a run without Airflow",
        ),
        sa.Column("business_day", sa.Date(), nullable=False, comment="the day that was run"),
        sa.Column(
            "status",
            sa.Text(),
            nullable=False,
            comment="running, published, held, failed or superseded (a later run published the day)",
        ),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=False, comment="first task's start"),
        sa.Column(
            "finished_at",
            sa.DateTime(timezone=True),
            comment="end of the publish step, or of the failure",
        ),
        sa.Column(
            "message",
            sa.Text(),
            nullable=False,
            server_default="",
            comment="why it was held or failed; what to do",
        ),
        sa.Column("model_version", sa.Text(), comment="encoder used, see ops.models"),
        sa.Column("segmentation_version", sa.Text(), comment="content hash of the labels in the lake"),
        sa.Column(
            "base_day",
            sa.Date(),
            comment="published day whose ids and model this day built on; null = first night",
        ),
        sa.Column(
            "base_segmentation_version",
            sa.Text(),
            comment="that day's segmentation_version at the time",
        ),
        sa.Column("inputs_version", sa.Text(), comment="content hash of the checked files up to the day"),
        sa.Column("customers", sa.Integer(), comment="customers labelled"),
        sa.Column(
            "stale",
            sa.Boolean(),
            nullable=False,
            server_default=sa.text("false"),
            comment="true: a re-run would give another result",
        ),
        sa.Column(
            "stale_reason",
            sa.Text(),
            nullable=False,
            server_default="",
            comment="what changed since, and the command that mends it",
        ),
        schema="ops",
        comment="Grain: run. What ran when, what it built on, and whether it still stands.",
    )
    op.create_index(
        "runs_one_published_a_day",
        "runs",
        ["business_day"],
        schema="ops",
        unique=True,
        postgresql_where=sa.text("status = 'published'"),
    )
    op.create_table(
        "metrics",
        sa.Column("business_day", sa.Date(), primary_key=True, comment="the day that was run"),
        sa.Column("step", sa.Text(), primary_key=True, comment="step that measured it"),
        sa.Column("metric", sa.Text(), primary_key=True, comment="name of the figure"),
        sa.Column(
            "scope",
            sa.Text(),
            primary_key=True,
            server_default="",
            comment="segmentation, candidate or segment it is about; '' = the night",
        ),
        sa.Column("value", sa.Double(), comment="the figure; null = could not be computed, see detail"),
        sa.Column("threshold", sa.Double(), comment="limit of a gate; null = no gate"),
        sa.Column("passed", sa.Boolean(), comment="gate's outcome; null = no gate"),
        sa.Column("detail", sa.Text(), nullable=False, server_default="", comment="in words"),
        sa.Column("run_id", sa.Text(), nullable=False, comment="run that measured it"),
        schema="ops",
        comment="Grain: business_day, step, metric, scope. Figures and gates of the newest run of each day.",
    )
    op.create_table(
        "check_results",
        sa.Column("business_day", sa.Date(), primary_key=True, comment="the day that was run"),
        sa.Column("table_name", sa.Text(), primary_key=True, comment="source table, contract name"),
        sa.Column("check_name", sa.Text(), primary_key=True, comment="the promise, in words"),
        sa.Column(
            "column_name",
            sa.Text(),
            primary_key=True,
            server_default="",
            comment="column it is about; '' = the table",
        ),
        sa.Column(
            "level",
            sa.Text(),
            nullable=False,
            comment="row (offending rows set aside) or table (the run stops) or note",
        ),
        sa.Column("passed", sa.Boolean(), nullable=False, comment="kept or broken"),
        sa.Column("rows_checked", sa.BigInteger(), nullable=False, comment="rows looked at"),
        sa.Column("rows_failed", sa.BigInteger(), nullable=False, comment="rows that break it"),
        sa.Column(
            "observed",
            sa.Text(),
            nullable=False,
            server_default="",
            comment="what was found, in words; never personal data",
        ),
        sa.Column("run_id", sa.Text(), nullable=False, comment="run that checked"),
        schema="ops",
        comment=("Grain: business_day, table, check, column. Outcome of every check of the newest run of each day."),
    )
    op.create_table(
        "quarantine",
        sa.Column("business_day", sa.Date(), primary_key=True, comment="the run's day"),
        sa.Column("data_day", sa.Date(), primary_key=True, comment="day of the rows set aside"),
        sa.Column("table_name", sa.Text(), primary_key=True, comment="source table, contract name"),
        sa.Column("reason", sa.Text(), primary_key=True, comment="the broken promise"),
        sa.Column("rows", sa.BigInteger(), nullable=False, comment="rows set aside"),
        sa.Column("file", sa.Text(), nullable=False, comment="file that holds them, relative to the lake"),
        sa.Column("run_id", sa.Text(), nullable=False, comment="run that set them aside"),
        schema="ops",
        comment=("Grain: business_day, data_day, table, reason. Counts of rows set aside; the rows are in the lake."),
    )
    op.create_table(
        "models",
        sa.Column(
            "model_version",
            sa.Text(),
            primary_key=True,
            comment="<trained through>-<hash of the weights>",
        ),
        sa.Column(
            "trained_through",
            sa.Date(),
            nullable=False,
            comment="last business day of any data it saw",
        ),
        sa.Column("family", sa.Text(), nullable=False, comment="cnn_rnn, cnn or rnn"),
        sa.Column("parent_version", sa.Text(), comment="model it was warm-started from; null = cold start"),
        sa.Column(
            "schema_hash",
            sa.Text(),
            nullable=False,
            comment="hash of feature names, vocabulary and shapes",
        ),
        sa.Column(
            "held_out_loss",
            sa.Double(),
            nullable=False,
            comment="loss on customers it never trained on",
        ),
        sa.Column(
            "metrics",
            postgresql.JSONB(),
            nullable=False,
            comment="losses per head, epochs, windows, seconds",
        ),
        sa.Column("path", sa.Text(), nullable=False, comment="folder, relative to the models folder"),
        sa.Column("run_id", sa.Text(), nullable=False, comment="run that trained it"),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False, comment="when it was stored"),
        schema="ops",
        comment="Grain: model version. Every encoder that was trained, with its lineage.",
    )


def downgrade() -> None:
    # ops stays: Alembic keeps its own table there
    op.drop_table("models", schema="ops")
    op.drop_table("quarantine", schema="ops")
    op.drop_table("check_results", schema="ops")
    op.drop_table("metrics", schema="ops")
    op.drop_table("runs", schema="ops")
    op.drop_table("segment_transitions", schema="marts")
    op.drop_table("segment_profiles", schema="marts")
    op.drop_table("segments", schema="marts")
    op.drop_table("customer_segment_history", schema="marts")
    op.drop_table("customer_segments", schema="marts")
    op.execute("drop schema marts")
