"""The warehouse tables, once: names, columns, keys and the comments that marketing reads in SQL.

The Alembic migrations build exactly this (a test compares them). Text ids: a shop's keys may be numbers,
uuids or words, so a customer id is text everywhere outside the shop.
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Date,
    DateTime,
    Double,
    Identity,
    Index,
    Integer,
    MetaData,
    Numeric,
    SmallInteger,
    Table,
    Text,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB, REAL

from segmentation.catalog import MARTS, NIGHT, OPS

metadata = MetaData()
#: Views of the tables, which the migrations make too.
views = MetaData()


def _day(name: str, comment: str, *, key: bool = False, nullable: bool = False) -> Column:
    return Column(name, Date, primary_key=key, nullable=nullable, comment=comment)


customer_segments = Table(
    "customer_segments",
    metadata,
    Column("customer_id", Text, primary_key=True, comment="the shop's customer key, as text"),
    Column("segment_id", Integer, nullable=False, comment="segment, see marts.segments; 0 = no order yet"),
    Column("segment_name", Text, nullable=False, comment="the segment's name, copied for convenience"),
    _day("since", "first business day of the present, unbroken stay in this segment"),
    Column("previous_segment_id", Integer, comment="segment before this one; null if there was none"),
    Column(
        "confidence",
        Double,
        nullable=False,
        comment="chance (0 to 1) that the segment would be the same, had other customers been in the shop",
    ),
    Column("reasons", ARRAY(Text), nullable=False, comment="what sets this customer apart, in words, strongest first"),
    Column("rfm_segment", Text, nullable=False, comment="the classic recency-frequency-monetary name, for comparison"),
    Column("holdout", Boolean, nullable=False, comment="true: never target, kept to measure campaigns against"),
    _day("as_of", "business day of the night whose model and segments made the label; the same for all rows"),
    Column(
        "model_version",
        Text,
        nullable=False,
        comment="encoder that foresaw the behaviour, see ops.models; 'rfm' = none",
    ),
    Column(
        "taste_id",
        Integer,
        comment="what the customer likes, see marts.tastes; null for who bought and looked at nothing "
        "in a category, and in a shop without categories",
    ),
    Column("taste_name", Text, comment="the taste's name, copied for convenience"),
    _day("taste_since", "first business day of the present, unbroken stay in this taste", nullable=True),
    Column(
        "may_contact",
        Boolean,
        comment="the customer's consent to be written to, as of the day; null = the shop does not say",
    ),
    Column(
        "provisional",
        Boolean,
        nullable=False,
        server_default=text("false"),
        comment="true: came since as_of, while the newest night is held or within the day; labelled by the model and "
        "the segments of as_of, and in no profile and no history until a night is published",
    ),
    Column(
        "as_of_time",
        DateTime(timezone=True),
        comment="instant up to which the label takes the customer's rows in; null = the end of as_of",
    ),
    Column(
        "source",
        Text,
        nullable=False,
        server_default=NIGHT,
        comment="night, or intraday: made within the day, for the end of the day of as_of_time; in no history and no "
        "profile, and replaced by the next night",
    ),
    Index("customer_segments_segment", "segment_id"),
    Index("customer_segments_taste", "taste_id"),
    schema=MARTS,
    comment="Grain: customer. Who is in which segment now. Rewritten nightly in one transaction; within the day, "
    "labels of customers who did something are brought forward (source = intraday). Join to marts.segments on "
    "segment_id. Do not sum confidence.",
    # every row is rewritten nightly: with room in its page a row's new version needs no new index entries
    postgresql_with={"fillfactor": 50},
)

customer_segment_history = Table(
    "customer_segment_history",
    metadata,
    Column("customer_id", Text, primary_key=True, comment="the shop's customer key, as text"),
    _day("valid_from", "first business day of this stay (included)", key=True),
    _day("valid_to", "first business day after this stay (excluded); null = still there", nullable=True),
    Column(
        "segment_id",
        Integer,
        nullable=False,
        comment="segment during this stay, see marts.segments; one id may mean two segments "
        "while ops.runs calls days stale that were published out of order",
    ),
    Column("run_id", Text, nullable=False, comment="run that began this stay, see ops.runs"),
    CheckConstraint("valid_to is null or valid_to > valid_from", name="customer_segment_history_order"),
    Index("customer_segment_history_from", "valid_from"),
    schema=MARTS,
    comment="Grain: customer, valid_from (slowly changing dimension, type 2). The label on day D is the row with "
    "valid_from <= D and (valid_to is null or valid_to > D). Labels of nights only: those made within a day are "
    "not here.",
)

customer_taste_history = Table(
    "customer_taste_history",
    metadata,
    Column("customer_id", Text, primary_key=True, comment="the shop's customer key, as text"),
    _day("valid_from", "first business day of this stay (included)", key=True),
    _day("valid_to", "first business day after this stay (excluded); null = still there", nullable=True),
    Column(
        "taste_id",
        Integer,
        nullable=False,
        comment="taste during this stay, see marts.tastes; one id may mean two tastes "
        "while ops.runs calls days stale that were published out of order",
    ),
    Column("run_id", Text, nullable=False, comment="run that began this stay, see ops.runs"),
    CheckConstraint("valid_to is null or valid_to > valid_from", name="customer_taste_history_order"),
    Index("customer_taste_history_from", "valid_from"),
    schema=MARTS,
    comment="Grain: customer, valid_from (slowly changing dimension, type 2). The taste on day D is the row with "
    "valid_from <= D and (valid_to is null or valid_to > D); no row = no taste on that day.",
)

segments = Table(
    "segments",
    metadata,
    Column(
        "segment_id",
        Integer,
        primary_key=True,
        autoincrement=False,
        comment="stable id, never reused; 0 = no order yet; days published out of order "
        "may use one id for two segments until the days that ops.runs calls stale are run again",
    ),
    Column("name", Text, nullable=False, unique=True, comment="name made from the data at birth; stays with the id"),
    Column("description", Text, nullable=False, comment="what sets the segment apart from the shop, in one sentence"),
    Column("status", Text, nullable=False, comment="active or retired"),
    _day("born_on", "first business day on which the segment existed"),
    _day("retired_on", "first business day without it; null while active", nullable=True),
    Column(
        "lineage", JSONB, nullable=False, comment="segment ids it came from, with the share of its customers at birth"
    ),
    Column("rules", ARRAY(Text), comment="At most three conditions that describe the segment"),
    Column(
        "rule_fidelity",
        Double,
        comment="share of customers for whom the rules and the segment agree; those in it and outside count alike",
    ),
    schema=MARTS,
    comment="Grain: segment. Every segment that ever was, with its stable id and name.",
)

tastes = Table(
    "tastes",
    metadata,
    Column(
        "taste_id",
        Integer,
        primary_key=True,
        autoincrement=False,
        comment="stable id, never reused; days published out of order "
        "may use one id for two tastes until the days that ops.runs calls stale are run again",
    ),
    Column(
        "name", Text, nullable=False, unique=True, comment="name made from the categories at birth; stays with the id"
    ),
    Column(
        "description",
        Text,
        nullable=False,
        comment="which categories set the taste apart from the shop, in one sentence",
    ),
    Column("status", Text, nullable=False, comment="active or retired"),
    _day("born_on", "first business day on which the taste existed"),
    _day("retired_on", "first business day without it; null while active", nullable=True),
    Column(
        "lineage", JSONB, nullable=False, comment="taste ids it came from, with the share of its customers at birth"
    ),
    schema=MARTS,
    comment="Grain: taste. Every taste that ever was: a second segmentation, by what customers buy and look at, "
    "independent of the segments. Empty for a shop without categories.",
)

segment_profiles = Table(
    "segment_profiles",
    metadata,
    _day("as_of", "business day whose end is described", key=True),
    Column("segment_id", Integer, primary_key=True, autoincrement=False, comment="segment, see marts.segments"),
    Column("customers", Integer, nullable=False, comment="customers in the segment"),
    Column("share", Double, nullable=False, comment="customers as a share (0 to 1) of all customers of the day"),
    Column("revenue_28d", Numeric(18, 2), comment="net revenue of the last 28 days, shop currency"),
    Column(
        "revenue_share_28d",
        Double,
        comment="that as a share (0 to 1) of all that is told; null if the shop sold nothing",
    ),
    Column("orders_28d", BigInteger, comment="orders of the last 28 days, void ones left out"),
    Column("revenue_365d", Numeric(18, 2), comment="net revenue of the last 365 days, shop currency"),
    Column("orders_365d", BigInteger, comment="orders of the last 365 days, void ones left out"),
    Column(
        "average_order_value", Numeric(18, 2), comment="revenue_365d / orders_365d, shop currency; null without orders"
    ),
    Column("recency_days_median", Double, comment="days since the last order, median of the customers"),
    Column(
        "days_between_orders_median", Double, comment="mean days between a customer's orders, median of the customers"
    ),
    Column("discount_share", Double, comment="discount / (revenue + discount) of the last 365 days, 0 to 1"),
    Column("returns_share", Double, comment="returned orders / orders of the last 365 days, 0 to 1"),
    Column(
        "sessions_28d", BigInteger, comment="clickstream sessions of the last 28 days; null for a shop without events"
    ),
    Column(
        "top_categories",
        JSONB,
        nullable=False,
        comment="categories with share of spend and lift over the shop, best first",
    ),
    Column(
        "expected_spend_28d", Double, comment="mean predicted spend per customer, next 28 days; null without a model"
    ),
    Column(
        "expected_churn_28d",
        Double,
        comment="mean predicted probability of no order in the next 28 days; null without a model",
    ),
    Column(
        "distinctive",
        JSONB,
        nullable=False,
        comment="features that differ most from the shop, in words, strongest first",
    ),
    Column(
        "channels",
        JSONB,
        nullable=False,
        server_default=text("'[]'::jsonb"),
        comment="list of {channel, share}: share (0 to 1) of the visits of the last 365 days that came through a "
        "channel, best first; an event outside a visit counts as one, a campaign sent as none; channels used "
        "by fewer than 10 customers are left out; [] for a shop without events or channels",
    ),
    Column(
        "campaign_order_share",
        Double,
        comment="orders after a campaign / orders of the last 365 days, 0 to 1: within three days after one was opened "
        "or clicked, or on the day of a coupon redemption; null without campaigns, and where fewer than 10 customers "
        "ordered",
    ),
    Column(
        "expected_spend_28d_low",
        Double,
        comment="lower end of the 95 % interval of the segment's mean by the chance of single customers alone, shop "
        "currency; errors of the model and shifts of the whole shop are not in it, so the truth falls outside more "
        "often than 1 time in 20; null without a model, or before a 28-day future is known",
    ),
    Column("expected_spend_28d_high", Double, comment="upper end of that interval"),
    Column(
        "expected_churn_28d_low",
        Double,
        comment="lower end of the 95 % interval of the segment's mean by the chance of single customers alone, 0 to 1; "
        "errors of the model and shifts of the whole shop are not in it; null without a model",
    ),
    Column("expected_churn_28d_high", Double, comment="upper end of that interval"),
    Column(
        "versus_shop",
        JSONB,
        nullable=False,
        server_default=text("'{}'::jsonb"),
        comment="{column: figure of the segment / that of all customers with an order}, 1 = the same; revenue, orders "
        "and sessions per customer; what is unknown or 0 in the shop is left out; {} for fewer than 10 customers, and "
        "for those without an order",
    ),
    schema=MARTS,
    comment="Grain: as_of, segment. Size, money and habits of each segment on each published day; of fewer than 10 "
    "customers (with an order) only how many they are, the rest is null or empty. Customers, revenue and orders of one "
    "as_of may be summed over segments, never over days.",
)

segment_transitions = Table(
    "segment_transitions",
    metadata,
    _day("as_of", "business day of the new labels", key=True),
    Column(
        "from_segment_id", Integer, primary_key=True, autoincrement=False, comment="segment before; -1 = new customer"
    ),
    Column(
        "to_segment_id",
        Integer,
        primary_key=True,
        autoincrement=False,
        comment="segment after; -1 = left the shop's data",
    ),
    Column("customers", Integer, nullable=False, comment="customers who went this way, staying included (from = to)"),
    Column("by_behaviour", Integer, nullable=False, comment="of these, moved because they behave differently"),
    Column(
        "by_relabelling",
        Integer,
        nullable=False,
        comment="of these, moved because segments were born, retired or redrawn",
    ),
    _day("compared_to", "published day of the labels before; null on the first night", nullable=True),
    schema=MARTS,
    comment="Grain: as_of, from, to. How customers moved since the published day before.",
)

segment_tastes = Table(
    "segment_tastes",
    metadata,
    _day("as_of", "business day whose end is described", key=True),
    Column("segment_id", Integer, primary_key=True, autoincrement=False, comment="segment, see marts.segments"),
    Column("taste_id", Integer, primary_key=True, autoincrement=False, comment="taste, see marts.tastes"),
    Column("customers", Integer, nullable=False, comment="customers of the segment who have this taste"),
    Column(
        "share", Double, nullable=False, comment="that as a share (0 to 1) of the segment's customers who have a taste"
    ),
    Column(
        "lift",
        Double,
        nullable=False,
        comment="share over the taste's share of all customers who have one; 1 = as usual in the shop",
    ),
    schema=MARTS,
    comment="Grain: as_of, segment, taste. How the two segmentations cross: what the customers of a segment like. "
    "Customers of one as_of may be summed, never over days. Empty for a shop without categories.",
)

customer_map = Table(
    "customer_map",
    metadata,
    _day("as_of", "business day whose end is described", key=True),
    Column("segment_ids", ARRAY(Integer), nullable=False, comment="segment of each point, see marts.segments"),
    Column("x", ARRAY(REAL), nullable=False, comment="each point's place along the first principal component"),
    Column("y", ARRAY(REAL), nullable=False, comment="each point's place along the second principal component"),
    Column("x_axis", Text, nullable=False, comment="what grows to the right, in words"),
    Column("y_axis", Text, nullable=False, comment="what grows upwards, in words"),
    Column(
        "explained",
        Double,
        nullable=False,
        comment="share (0 to 1) of the customers' variance that the two components keep",
    ),
    Column("customers", Integer, nullable=False, comment="customers whom the points, a sample, stand for"),
    schema=MARTS,
    comment="Grain: as_of. The customers' places in the space of the segments, projected to two dimensions: a sample "
    "of at most 5,000 points without ids; a segment of fewer than 10 customers is left out. Points of two days are not "
    "the same customers. No row for a night without a model.",
)

segment_lifecycle = Table(
    "segment_lifecycle",
    metadata,
    _day("as_of", "business day of the new segments", key=True),
    Column("segment_id", Integer, primary_key=True, autoincrement=False, comment="segment, see marts.segments"),
    Column(
        "event",
        Text,
        primary_key=True,
        comment="born (new this day), split (its customers are several segments now), merged (it took others in) "
        "or retired (no more from this day on)",
    ),
    Column(
        "other_segment_ids",
        ARRAY(Integer),
        nullable=False,
        comment="born: where its customers come from; split: its parts; merged: the ones it took in; "
        "retired: where its customers are now; {} if there are none",
    ),
    Column("detail", Text, nullable=False, comment="the same in words, with shares of customers"),
    _day("compared_to", "published day of the segments before; null on the first night", nullable=True),
    schema=MARTS,
    comment="Grain: as_of, segment, event. Segments that were born, split, merged or retired; no row = nothing of the "
    "kind happened that day. Events of a day that was published again with another result are replaced.",
)

segment_revenue_bridge = Table(
    "segment_revenue_bridge",
    metadata,
    _day("as_of", "business day of the new figures", key=True),
    Column("segment_id", Integer, primary_key=True, autoincrement=False, comment="segment, see marts.segments"),
    _day("compared_to", "published day of the figures before: the one that this day built on"),
    Column(
        "revenue_28d_before",
        Numeric(18, 2),
        nullable=False,
        comment="revenue_28d of the segment on compared_to, shop currency; 0 if it was not there",
    ),
    Column(
        "revenue_28d_after",
        Numeric(18, 2),
        nullable=False,
        comment="revenue_28d of the segment on as_of, shop currency; 0 if it is no more",
    ),
    Column(
        "by_customers",
        Numeric(18, 2),
        nullable=False,
        comment="change for having more or fewer customers, shop currency; all of it for a segment that came or went",
    ),
    Column(
        "by_frequency",
        Numeric(18, 2),
        nullable=False,
        comment="change for more or fewer orders per customer, shop currency",
    ),
    Column(
        "by_basket",
        Numeric(18, 2),
        nullable=False,
        comment="change for more or less net revenue per order, shop currency",
    ),
    schema=MARTS,
    comment="Grain: as_of, segment. Why a segment's revenue of 28 days changed since the night before: by_customers + "
    "by_frequency + by_basket = revenue_28d_after - revenue_28d_before, to the cent. The three may be summed over "
    "segments and over nights that build on each other; before and after may be summed over segments only. "
    "The first night has no rows, nor has a segment of fewer than 10 customers on either day.",
)

runs = Table(
    "runs",
    metadata,
    Column("run_id", Text, primary_key=True, comment="Airflow run id, or cli__<day>__<time> of a run without Airflow"),
    _day("business_day", "the day that was run"),
    Column(
        "status",
        Text,
        nullable=False,
        comment="running, published, held (a gate failed; also after it was rejected), failed or superseded (a later "
        "run published the day)",
    ),
    Column("started_at", DateTime(timezone=True), nullable=False, comment="first task's start"),
    Column("finished_at", DateTime(timezone=True), comment="end of the publish step, or of the failure"),
    Column("message", Text, nullable=False, server_default="", comment="why it was held or failed; what to do"),
    Column("model_version", Text, comment="encoder used, see ops.models"),
    Column("segmentation_version", Text, comment="content hash of the labels in the lake"),
    Column("base_day", Date, comment="published day whose ids and model this day built on; null = first night"),
    Column("base_segmentation_version", Text, comment="that day's segmentation_version at the time"),
    Column("inputs_version", Text, comment="content hash of the checked files up to the day"),
    Column("customers", Integer, comment="customers labelled"),
    Column(
        "stale",
        Boolean,
        nullable=False,
        server_default=text("false"),
        comment="true: a re-run would give another result",
    ),
    Column(
        "stale_reason",
        Text,
        nullable=False,
        server_default="",
        comment="what changed since, and the command that mends it",
    ),
    Index("runs_one_published_a_day", "business_day", unique=True, postgresql_where=text("status = 'published'")),
    schema=OPS,
    comment="Grain: run. What ran when, what it built on, and whether it still stands.",
)

turns = Table(
    "turns",
    metadata,
    Column("dag_id", Text, primary_key=True, comment="DAG whose runs go one at a time"),
    Column(
        "run_id", Text, nullable=False, comment="run that took the turn last; it counts while that run is under way"
    ),
    Column("taken_at", DateTime(timezone=True), nullable=False, comment="when it began"),
    schema=OPS,
    comment="Grain: DAG. Which run goes now: days are a chain, so those of a backfill and of the schedule take turns.",
)

intraday = Table(
    "intraday",
    metadata,
    _day("base_day", "newest published day, whose model and segments are used within the day", key=True),
    Column("segmentation_version", Text, nullable=False, comment="its segments, see ops.runs"),
    Column(
        "through",
        DateTime(timezone=True),
        nullable=False,
        comment="instant up to which the shop's rows are in the labels; the next run goes on from here",
    ),
    Column("run_id", Text, nullable=False, comment="run of segmentation_intraday that published last"),
    Column("labelled", BigInteger, nullable=False, comment="customers whose label that run brought forward"),
    Column("moved", BigInteger, nullable=False, comment="of these, who is in another segment than at night"),
    schema=OPS,
    comment="Grain: base day; at most one row. How far the labels within the day have come. A night that is published "
    "removes it, as it replaces these labels.",
)

changes = Table(
    "changes",
    metadata,
    _day("business_day", "the day that was published again", key=True),
    Column("run_id", Text, primary_key=True, comment="run that published it again, see ops.runs"),
    Column("input", Text, primary_key=True, comment="what differs: a source table, or `night before` for the base"),
    _day("data_day", "business day of the rows that differ, or of the night before", key=True),
    Column("before", Text, nullable=False, comment="rows, or the base's version, of the run published until then"),
    Column("after", Text, nullable=False, comment="the same of this run; equal numbers: rows of other content"),
    Column("replaces_run_id", Text, nullable=False, comment="run that was published until then"),
    schema=OPS,
    comment="Grain: business day, run, input, data day. Why a day that was published again may differ from what it "
    "was: the inputs that changed. A day published again from unchanged inputs has no rows here, and the same labels.",
)

metrics = Table(
    "metrics",
    metadata,
    _day("business_day", "the day that was run", key=True),
    Column("step", Text, primary_key=True, comment="step that measured it"),
    Column("metric", Text, primary_key=True, comment="name of the figure"),
    Column(
        "scope",
        Text,
        primary_key=True,
        server_default="",
        comment="segmentation, candidate or segment it is about; '' = the night",
    ),
    Column("value", Double, comment="the figure; null = could not be computed, see detail"),
    Column("threshold", Double, comment="limit of a gate; null = no gate"),
    Column("passed", Boolean, comment="gate's outcome; null = no gate"),
    Column("detail", Text, nullable=False, server_default="", comment="in words"),
    Column("run_id", Text, nullable=False, comment="run that measured it"),
    Column(
        "consequence", Text, nullable=False, server_default="", comment="what follows if a gate fails; '' = no gate"
    ),
    schema=OPS,
    comment="Grain: business_day, step, metric, scope. Figures and gates of the newest run of each day.",
)

check_results = Table(
    "check_results",
    metadata,
    _day("business_day", "the day that was run", key=True),
    Column("table_name", Text, primary_key=True, comment="source table, contract name"),
    Column("check_name", Text, primary_key=True, comment="the promise, in words"),
    Column("column_name", Text, primary_key=True, server_default="", comment="column it is about; '' = the table"),
    Column("level", Text, nullable=False, comment="row (offending rows set aside) or table (the run stops) or note"),
    Column("passed", Boolean, nullable=False, comment="kept or broken"),
    Column("rows_checked", BigInteger, nullable=False, comment="rows looked at"),
    Column("rows_failed", BigInteger, nullable=False, comment="rows that break it"),
    Column(
        "observed", Text, nullable=False, server_default="", comment="what was found, in words; never personal data"
    ),
    Column("run_id", Text, nullable=False, comment="run that checked"),
    schema=OPS,
    comment="Grain: business_day, table, check, column. Outcome of every check of the newest run of each day.",
)

quarantine = Table(
    "quarantine",
    metadata,
    _day("business_day", "the run's day", key=True),
    _day("data_day", "day of the rows set aside", key=True),
    Column("table_name", Text, primary_key=True, comment="source table, contract name"),
    Column("reason", Text, primary_key=True, comment="the broken promise"),
    Column("rows", BigInteger, nullable=False, comment="rows set aside"),
    Column("file", Text, nullable=False, comment="file that holds them, relative to the lake"),
    Column("run_id", Text, nullable=False, comment="run that set them aside"),
    schema=OPS,
    comment="Grain: business_day, data_day, table, reason. Counts of rows set aside; the rows are in the lake.",
)

models = Table(
    "models",
    metadata,
    Column("model_version", Text, primary_key=True, comment="<trained through>-<hash of the weights>"),
    _day("trained_through", "last business day of any data it saw"),
    Column("family", Text, nullable=False, comment="cnn_rnn, cnn or rnn"),
    Column("parent_version", Text, comment="model it was warm-started from; null = cold start"),
    Column("schema_hash", Text, nullable=False, comment="hash of feature names, vocabulary and shapes"),
    Column("held_out_loss", Double, nullable=False, comment="loss on customers it never trained on"),
    Column("metrics", JSONB, nullable=False, comment="losses per head, epochs, windows, seconds"),
    Column("path", Text, nullable=False, comment="folder, relative to the models folder"),
    Column("run_id", Text, nullable=False, comment="run that trained it"),
    Column("created_at", DateTime(timezone=True), nullable=False, comment="when it was stored"),
    Column("removed_at", DateTime(timezone=True), comment="when its weights were removed; null = they are there"),
    Column("removed_reason", Text, comment="why, in words: an erased customer, or its age"),
    schema=OPS,
    comment="Grain: model version. Every encoder that was trained, with its lineage.",
)

downloads = Table(
    "downloads",
    metadata,
    Column("download_id", BigInteger, Identity(), primary_key=True, comment="number of the entry"),
    Column(
        "at", DateTime(timezone=True), nullable=False, server_default=text("now()"), comment="when it was asked for"
    ),
    Column("username", Text, nullable=False, comment="user of the Airflow UI"),
    Column("kind", Text, nullable=False, comment="audience = a CSV file of customers; look-up = one customer's page"),
    Column(
        "subject",
        Text,
        nullable=False,
        comment="audience: the segment or item; look-up: keyed hash of the customer id, never the id",
    ),
    Column("as_of", Date, comment="business day of the labels handed out; null = there were none"),
    Column("rows", Integer, nullable=False, comment="customers handed out"),
    Index("downloads_at", "at"),
    schema=OPS,
    comment="Grain: download or look-up. Who took customers out of the Segments page, written before they leave.",
)

segment_affinities = Table(
    "segment_affinities",
    metadata,
    _day("as_of", "business day whose end is described", key=True),
    Column("kind", Text, primary_key=True, comment="segment or taste: what group_id is a number of"),
    Column(
        "group_id",
        Integer,
        primary_key=True,
        autoincrement=False,
        comment="segment, see marts.segments, or taste, see marts.tastes",
    ),
    Column("level", Text, primary_key=True, comment="category or product: what item is"),
    Column("item", Text, primary_key=True, comment="category, or the shop's product key as text"),
    Column("description", Text, comment="category, subcategory and brand of a product, as far as the shop has them"),
    Column(
        "buyers",
        Integer,
        nullable=False,
        comment="customers of the group who bought it in the last 365 days, void orders left out",
    ),
    Column("support", Double, nullable=False, comment="buyers as a share (0 to 1) of the group's customers"),
    Column("shop_support", Double, nullable=False, comment="share (0 to 1) of all the shop's customers who bought it"),
    Column("lift", Double, nullable=False, comment="support / shop_support; 1 = as in the shop"),
    Column(
        "rank",
        Integer,
        nullable=False,
        comment="1 = first, by (buyers + a) / (expected buyers + a) with a = setting publish.minimum_group: "
        "a lift that few buyers support counts as nearer to 1",
    ),
    schema=MARTS,
    comment="Grain: as_of, kind, group_id, level, item. How much more (lift above 1) or less a segment or a taste buys "
    "than the shop: the first 20 of each level. An item with fewer buyers in the group than publish.minimum_group (10) "
    "is left out. Empty for a shop without order items; without product categories there are products only. A customer "
    "buys many items, so buyers must not be summed over items, nor over days.",
)

customer_next_purchases = Table(
    "customer_next_purchases",
    metadata,
    Column("customer_id", Text, primary_key=True, comment="the shop's customer key, as text"),
    Column("categories", ARRAY(Text), nullable=False, comment="categories of interest, likeliest first"),
    Column("likelihoods", ARRAY(Double), nullable=False, comment="of each category, see marts.customer_interests"),
    Column("lifts", ARRAY(Double), nullable=False, comment="of each category, see marts.customer_interests"),
    Column(
        "bought_periods", ARRAY(SmallInteger), nullable=False, comment="of each category, see marts.customer_interests"
    ),
    Column("products", ARRAY(Text), nullable=False, comment="products come back for, bought in most periods first"),
    Column(
        "product_periods", ARRAY(SmallInteger), nullable=False, comment="of each product, see marts.customer_products"
    ),
    _day("as_of", "business day that the next 28 days follow; the same for all rows"),
    schema=MARTS,
    comment="Grain: customer. What customers are likely to buy next and what they come back for, of the newest "
    "published day, one row each so that a large shop is published in seconds: marts.customer_interests and "
    "marts.customer_products show the same, one row per category and product. Empty for a shop without categories, and "
    "on a day without a model (model_version rfm). Whom to write to: marts.audience(item, n).",
)

product_shares = Table(
    "product_shares",
    metadata,
    Column("product_id", Text, primary_key=True, comment="the shop's product key, as text"),
    Column(
        "segment_id",
        Integer,
        primary_key=True,
        autoincrement=False,
        comment="segment, see marts.segments; -1 = all the shop's customers",
    ),
    Column("category", Text, nullable=False, comment="the product's category"),
    Column("description", Text, comment="category, subcategory and brand, as far as the shop has them"),
    Column("buyers", Integer, nullable=False, comment="customers who bought it in the last 365 days"),
    Column(
        "share",
        Double,
        nullable=False,
        comment="of the 28-day periods in which these customers bought from the category, the share (0 to 1) in which "
        "they bought the product",
    ),
    _day("as_of", "business day whose end is described; the same for all rows"),
    schema=MARTS,
    comment="Grain: product, segment. How much of a category's purchases a product is, of the newest published day; "
    "marts.audience reads it to answer for a product. Left out: products with fewer buyers in the segment than "
    "publish.minimum_group (10), and categories without rows in marts.customer_interests. Shares must not be summed: "
    "one purchase holds many products.",
)

segment_actions = Table(
    "segment_actions",
    metadata,
    _day("as_of", "business day whose end the segments are described at", key=True),
    Column("segment_id", Integer, primary_key=True, autoincrement=False, comment="segment, see marts.segments"),
    Column(
        "rank",
        Integer,
        primary_key=True,
        autoincrement=False,
        comment="1 = highest expected value; actions proven harmful come last, as a warning",
    ),
    Column("action", Text, nullable=False, comment="id of the action in the playbook"),
    Column("strategy", Text, nullable=False, comment="what it is meant to achieve, as the playbook says"),
    Column("channel", Text, nullable=False, comment="where, as the playbook says"),
    Column("offer", Text, nullable=False, comment="what, as the playbook says"),
    Column("timing", Text, nullable=False, comment="when, as the playbook says"),
    Column(
        "discount_limit", Double, nullable=False, comment="most that may be given away, share (0 to 1) of the order"
    ),
    Column("rationale", Text, nullable=False, comment="why this segment, in words with its figures and the shop's"),
    Column(
        "evidence",
        Text,
        nullable=False,
        comment="untested (no campaign yet), testing (no verdict yet), proven or harmful",
    ),
    Column(
        "uplift",
        Numeric(18, 2),
        comment="net spend more per treated customer, shop currency: as measured, or if untested the playbook's prior "
        "less the discount; null if neither is known",
    ),
    Column("uplift_low", Numeric(18, 2), comment="lower end of the measured interval; null if untested"),
    Column("uplift_high", Numeric(18, 2), comment="upper end of the measured interval; null if untested"),
    Column(
        "expected_value",
        Numeric(18, 2),
        comment="shop currency for the whole segment in 28 days: uplift if proven or harmful, else the prior less the "
        "discount, times customers; null without a model",
    ),
    schema=MARTS,
    comment="Grain: as_of, segment, rank. What to do about each segment, best first. Expected values of actions of one "
    "segment are alternatives: do not sum them.",
)

campaigns = Table(
    "campaigns",
    metadata,
    Column("campaign_id", Integer, Identity(always=True), primary_key=True, comment="number of the campaign"),
    Column("name", Text, nullable=False, comment="name given at launch"),
    Column("action", Text, nullable=False, comment="id of the action in the playbook; several: joined by ' + '"),
    Column("arms", ARRAY(Text), nullable=False, comment="{treated}, or the actions that are compared"),
    Column("arm_shares", ARRAY(Double), nullable=False, comment="share of the treated in each arm; sums to 1"),
    Column("segment_ids", ARRAY(Integer), nullable=False, comment="segments that its customers were in at launch"),
    _day("launched_on", "first business day of the campaign: spend counts from its start"),
    _day("ends_on", "last business day of the campaign"),
    _day("planned_end", "last business day as planned at launch"),
    Column("control_share", Double, nullable=False, comment="share of its customers meant to be left alone, 0 to 1"),
    Column(
        "split",
        Text,
        nullable=False,
        comment="random (the campaign draws among those not held out) or holdout (the shop's holdout is the control)",
    ),
    Column("follows", Integer, comment="earlier campaign whose learning it goes on with; null = none"),
    _day("labels_of", "business day of the segment labels that were frozen at launch"),
    Column("created_by", Text, nullable=False, comment="database role that launched it"),
    Column("created_at", DateTime(timezone=True), nullable=False, comment="when it was launched"),
    CheckConstraint("split in ('random', 'holdout')", name="campaigns_split"),
    CheckConstraint("ends_on >= launched_on", name="campaigns_order"),
    schema=MARTS,
    comment="Grain: campaign. Launched with marts.launch_campaign or marts.launch_comparison, ended early with "
    "marts.end_campaign; see docs/ACTIONS.md.",
)

campaign_members = Table(
    "campaign_members",
    metadata,
    Column("campaign_id", Integer, primary_key=True, autoincrement=False, comment="campaign, see marts.campaigns"),
    Column("customer_id", Text, primary_key=True, comment="the shop's customer key, as text"),
    Column("arm", Text, nullable=False, comment="control (leave alone), treated, or the action to try"),
    Column("segment_id", Integer, nullable=False, comment="segment at launch; it does not follow the customer"),
    schema=MARTS,
    comment="Grain: campaign, customer. Who is in a campaign and in which group: frozen at launch. Write to nobody "
    "whose arm is control.",
)

campaign_results = Table(
    "campaign_results",
    metadata,
    _day("as_of", "business day up to whose end spend counts", key=True),
    Column("campaign_id", Integer, primary_key=True, autoincrement=False, comment="campaign, see marts.campaigns"),
    Column(
        "segment_id",
        Integer,
        primary_key=True,
        autoincrement=False,
        comment="segment at launch; -1 = all of the campaign",
    ),
    Column("arm", Text, primary_key=True, comment="treated, or the action of a campaign that compares several"),
    Column("action", Text, nullable=False, comment="id of the action in the playbook"),
    Column("days", Integer, nullable=False, comment="days since the launch, the first included"),
    Column("treated", Integer, nullable=False, comment="customers of the arm who are still in the shop's data"),
    Column("control", Integer, nullable=False, comment="customers left alone who are still in the shop's data"),
    Column(
        "sample_ratio_p",
        Double,
        nullable=False,
        comment="chance of groups so far from the planned split; tiny = the groups are not comparable, no verdict",
    ),
    Column(
        "control_spend",
        Numeric(18, 2),
        comment="net spend per customer left alone since the launch, shop currency; null for fewer than 10 customers",
    ),
    Column(
        "uplift",
        Numeric(18, 2),
        comment="net spend more per treated customer since the launch, shop currency, adjusted for spend before it; "
        "null if it cannot be told",
    ),
    Column("uplift_low", Numeric(18, 2), comment="lower end of the interval that may be looked at every night"),
    Column("uplift_high", Numeric(18, 2), comment="upper end of it; all nights' intervals together cover with 95 %"),
    Column(
        "final_low",
        Numeric(18, 2),
        comment="lower end of the 95 % interval for one look at the planned last night; null on other nights",
    ),
    Column("final_high", Numeric(18, 2), comment="upper end of it"),
    Column(
        "evidence",
        Text,
        nullable=False,
        comment="testing; proven if uplift_low is above 0; harmful if uplift_high is below 0",
    ),
    Column("message", Text, nullable=False, comment="the result in words, or why there is no verdict"),
    schema=MARTS,
    comment="Grain: as_of, campaign, segment, arm. What each campaign has brought so far. Nights are cumulative, and "
    "segment -1 holds all: sum neither.",
)

campaign_allocation = Table(
    "campaign_allocation",
    metadata,
    _day("as_of", "business day up to whose end spend counts", key=True),
    Column("campaign_id", Integer, primary_key=True, autoincrement=False, comment="campaign, see marts.campaigns"),
    Column("arm", Text, primary_key=True, comment="action that competes"),
    Column("customers", Integer, nullable=False, comment="customers of the arm who are still in the shop's data"),
    Column(
        "mean_spend",
        Numeric(18, 2),
        comment="net spend per customer since the launch, adjusted for spend before; null for fewer than 10 customers",
    ),
    Column("standard_error", Double, comment="of mean_spend, shop currency"),
    Column(
        "chance_best",
        Double,
        comment="chance that the arm is the best, given this campaign and those it follows; null if it cannot be told",
    ),
    Column("share_now", Double, nullable=False, comment="share of the treated in this campaign, 0 to 1"),
    Column("share_next", Double, nullable=False, comment="share proposed for the next one; sums to 1 over the arms"),
    schema=MARTS,
    comment="Grain: as_of, campaign, arm; only campaigns that compare actions. How to split the next campaign "
    "(Thompson sampling): marts.launch_comparison takes it with follows.",
)

activation_log = Table(
    "activation_log",
    metadata,
    Column("destination", Text, primary_key=True, comment="name of the destination in the settings"),
    Column("campaign_id", Integer, primary_key=True, autoincrement=False, comment="campaign, see marts.campaigns"),
    Column("customer_id", Text, primary_key=True, comment="the shop's customer key, as text"),
    Column(
        "number",
        Integer,
        primary_key=True,
        autoincrement=False,
        comment="1 = the first time the customer joined there, 2 = left, 3 = joined again, and so on",
    ),
    Column("event", Text, nullable=False, comment="joined (may be written to) or left (must not be any more)"),
    Column("action", Text, nullable=False, comment="id of the action the customer gets"),
    _day("as_of", "business day of the labels and of the consent that decided"),
    Column("batch_key", Text, nullable=False, comment="idempotency key of the request, object or file that holds it"),
    Column("planned_at", DateTime(timezone=True), nullable=False, comment="when it was put into the batch"),
    Column(
        "sent_at",
        DateTime(timezone=True),
        comment="when the destination had confirmed it; null = it has not, but may have got it",
    ),
    Column("run_id", Text, nullable=False, comment="run that put it into the batch"),
    CheckConstraint("event in ('joined', 'left')", name="activation_log_event"),
    Index("activation_log_batch", "destination", "batch_key"),
    schema=OPS,
    comment="Grain: destination, campaign, customer, number. Who was sent where: written before a batch is sent, "
    "confirmed after, so that whoever may have been sent is known even after a crash. Dry runs leave nothing.",
)

customer_interests = Table(
    "customer_interests",
    views,
    Column("customer_id", Text, primary_key=True, comment="the shop's customer key, as text"),
    Column("category", Text, primary_key=True, comment="product category, as the shop calls it"),
    Column(
        "likelihood",
        Double,
        nullable=False,
        comment="chance (0 to 1) that the customer buys from the category in the 28 days after as_of",
    ),
    Column("lift", Double, nullable=False, comment="likelihood over the mean of all customers with an order; above 1"),
    Column(
        "bought_periods",
        SmallInteger,
        nullable=False,
        comment="28-day periods of the last 365 days in which the customer bought from it, 0 to 14",
    ),
    _day("as_of", "business day that the 28 days follow; the same for all rows"),
    schema=MARTS,
    comment="Grain: customer, category. What customers are likely to buy next, of the newest published day: rows where "
    "a customer is likelier to buy than the average customer, for categories that the encoder foresees. Empty for a "
    "shop without categories, and on a day without a model (model_version rfm). Likelihoods may be summed over "
    "customers (expected buyers), not over categories. Whom to write to: marts.audience(item, n), which leaves out "
    "the holdout and who may not be contacted.",
)

customer_products = Table(
    "customer_products",
    views,
    Column("product_id", Text, primary_key=True, comment="the shop's product key, as text"),
    Column("customer_id", Text, primary_key=True, comment="the shop's customer key, as text"),
    Column(
        "periods",
        SmallInteger,
        nullable=False,
        comment="28-day periods of the last 365 days in which the customer bought it, 2 to 14",
    ),
    _day("as_of", "business day whose end is described; the same for all rows"),
    schema=MARTS,
    comment="Grain: product, customer. What customers come back for, of the newest published day: products of "
    "marts.product_shares bought in at least two 28-day periods, at most ten of a customer. Periods must not be summed "
    "over products.",
)

quarantine_releases = Table(
    "quarantine_releases",
    metadata,
    Column("release_id", BigInteger, Identity(), primary_key=True, comment="number of the release"),
    Column("table_name", Text, nullable=False, comment="source table, contract name"),
    _day("data_day", "day of the rows"),
    Column("broken", Text, nullable=False, comment="the broken promise that they are right in spite of"),
    Column("key", Text, comment="key of the row, parts joined by /; null = all rows set aside for it that day"),
    Column("reason", Text, nullable=False, comment="why they are right"),
    Column("released_by", Text, nullable=False, comment="who says so"),
    Column("released_at", DateTime(timezone=True), nullable=False, comment="when"),
    Index("quarantine_releases_day", "data_day"),
    schema=OPS,
    comment="Grain: release. Rows declared right after they were set aside; written by `segmentation quarantine "
    "release`, and taken in by the next run.",
)

erasure_requests = Table(
    "erasure_requests",
    metadata,
    Column("request_id", BigInteger, Identity(), primary_key=True, comment="number of the request"),
    Column("customer_id", Text, comment="the shop's customer key, as text, or its pseudonym; null once erased"),
    Column(
        "requested_at",
        DateTime(timezone=True),
        nullable=False,
        server_default=text("now()"),
        comment="when it was entered",
    ),
    Column(
        "requested_by",
        Text,
        nullable=False,
        server_default=text("current_user"),
        comment="who entered it; a user or a ticket, not the customer",
    ),
    Column(
        "policy",
        Text,
        comment="tombstone or retrain, see docs/PRIVACY.md; null = as the setting privacy.models says",
    ),
    Column(
        "status",
        Text,
        nullable=False,
        server_default=text("'open'"),
        comment="open, erasing (begun, to be gone on with) or erased (see ops.erasure_certificates)",
    ),
    Column("begun_at", DateTime(timezone=True), comment="when erasing began; null while open"),
    Column(
        "customer_marks",
        ARRAY(Text),
        nullable=False,
        server_default=text("'{}'::text[]"),
        comment="keyed hashes of the key and of its pseudonym, by which extraction leaves the customer out for good",
    ),
    Column("key_check", Text, comment="tells, without revealing it, whether the key is the one of the hashes"),
    _day("first_day", "first business day of which the lake had rows of the customer; null = none", nullable=True),
    Column(
        "found",
        JSONB,
        nullable=False,
        server_default=text("'{}'::jsonb"),
        comment="{place: rows of the customer} when erasing began",
    ),
    Column(
        "recipients",
        ARRAY(Text),
        nullable=False,
        server_default=text("'{}'::text[]"),
        comment="destinations that may have been sent the customer: they have to be told",
    ),
    Column(
        "told",
        ARRAY(Text),
        nullable=False,
        server_default=text("'{}'::text[]"),
        comment="destinations that confirmed an event `erased`, and were told by it",
    ),
    Column(
        "nights_kept",
        ARRAY(Date),
        nullable=False,
        server_default=text("'{}'::date[]"),
        comment="published days that were up to date then and are not called stale for the erasure",
    ),
    CheckConstraint("status in ('open', 'erasing', 'erased')", name="erasure_requests_status"),
    CheckConstraint("policy in ('tombstone', 'retrain')", name="erasure_requests_policy"),
    CheckConstraint("(customer_id is null) = (status = 'erased')", name="erasure_requests_customer"),
    schema=OPS,
    comment="Grain: request. Customers to be erased by the DAG customer_erasure: insert a customer_id. Rows of erased "
    "customers must stay: extraction leaves out whom they stand for.",
)

erasure_certificates = Table(
    "erasure_certificates",
    metadata,
    Column(
        "request_id", BigInteger, primary_key=True, autoincrement=False, comment="request, see ops.erasure_requests"
    ),
    Column("erased_at", DateTime(timezone=True), nullable=False, comment="when the search had found nothing more"),
    Column("run_id", Text, nullable=False, comment="run that erased"),
    Column("policy", Text, nullable=False, comment="what became of the models: tombstone or retrain"),
    Column("found", JSONB, nullable=False, comment="{place: rows of the customer} before; all of them are gone"),
    Column("models_withdrawn", ARRAY(Text), nullable=False, comment="models whose weights were removed"),
    Column("recipients", ARRAY(Text), nullable=False, comment="destinations that have to be told"),
    Column(
        "told",
        ARRAY(Text),
        nullable=False,
        server_default=text("'{}'::text[]"),
        comment="destinations that confirmed an event `erased`, and were told by it",
    ),
    Column("files_searched", Integer, nullable=False, comment="files of lake, Data Docs, reports and exports"),
    Column("tables_searched", Integer, nullable=False, comment="tables of the warehouse"),
    Column("statement", Text, nullable=False, comment="the same in words"),
    schema=OPS,
    comment="Grain: request. Proof that a customer was erased: written after a search through every file and table "
    "found nothing.",
)

privacy_ledger = Table(
    "privacy_ledger",
    metadata,
    Column("release_id", BigInteger, Identity(), primary_key=True, comment="number of the release"),
    _day("business_day", "day whose figures were released"),
    Column("segmentation_version", Text, nullable=False, comment="labels that they were summed by, see ops.runs"),
    Column("epsilon", Numeric(9, 6), nullable=False, comment="what the release spends of the budget"),
    Column("revenue_bound", Integer, nullable=False, comment="revenue of 28 days that one customer counts for at most"),
    Column("orders_bound", Integer, nullable=False, comment="orders of 28 days that one customer counts for at most"),
    Column("figures", JSONB, nullable=False, comment="what was released, a row per segment: noise included"),
    Column(
        "released_at",
        DateTime(timezone=True),
        nullable=False,
        server_default=text("now()"),
        comment="when it was booked",
    ),
    Column("released_by", Text, nullable=False, comment="who asked for it"),
    CheckConstraint("epsilon > 0", name="privacy_ledger_epsilon"),
    Index(
        "privacy_ledger_once",
        "business_day",
        "segmentation_version",
        "epsilon",
        "revenue_bound",
        "orders_bound",
        unique=True,
    ),
    schema=OPS,
    comment="Grain: release. Figures with noise that left the warehouse (differential privacy, docs/PRIVACY.md) and "
    "the epsilon that each spent; the same request again is answered from here. Rows must stay: they are the budget.",
)

alerts = Table(
    "alerts",
    metadata,
    Column("alert_id", BigInteger, Identity(), primary_key=True, comment="number of the message"),
    Column("run_id", Text, nullable=False, comment="run that it is about, see ops.runs"),
    _day("business_day", "day of the run"),
    Column("kind", Text, nullable=False, comment="failed, held or late"),
    Column("channels", ARRAY(Text), nullable=False, comment="connections that it was sent through"),
    Column("told_at", DateTime(timezone=True), nullable=False, server_default=text("now()"), comment="when"),
    Index("alerts_run", "run_id"),
    schema=OPS,
    comment="Grain: message. Who was told of which night: a second message about a run says that it follows a first.",
)
