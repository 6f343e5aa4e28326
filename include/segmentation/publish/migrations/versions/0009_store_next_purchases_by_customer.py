"""Keep what a customer will buy next in one row, so that a large shop is published in seconds."""

from importlib import import_module
from pathlib import Path

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

# until the next publication fills them
_FROM_ROWS = """
insert into marts.customer_next_purchases (
    customer_id, categories, likelihoods, lifts, bought_periods, products, product_periods, as_of
)
select
    customer_id,
    coalesce(interest.categories, '{}'),
    coalesce(interest.likelihoods, '{}'),
    coalesce(interest.lifts, '{}'),
    coalesce(interest.bought_periods, '{}'),
    coalesce(product.products, '{}'),
    coalesce(product.periods, '{}'),
    coalesce(interest.as_of, product.as_of)
from (
    select
        customer_id,
        array_agg(category order by likelihood desc, category) as categories,
        array_agg(likelihood order by likelihood desc, category) as likelihoods,
        array_agg(lift order by likelihood desc, category) as lifts,
        array_agg(bought_periods order by likelihood desc, category) as bought_periods,
        min(as_of) as as_of
    from marts.customer_interests
    group by customer_id
) as interest
full join (
    select
        customer_id,
        array_agg(product_id order by periods desc, product_id) as products,
        array_agg(periods order by periods desc, product_id) as periods,
        min(as_of) as as_of
    from marts.customer_products
    group by customer_id
) as product using (customer_id)
"""
_VIEWS = {
    "customer_interests": """
create view marts.customer_interests as
select next.customer_id, interest.category, interest.likelihood, interest.lift, interest.bought_periods, next.as_of
from marts.customer_next_purchases as next
cross join lateral unnest(next.categories, next.likelihoods, next.lifts, next.bought_periods)
    as interest (category, likelihood, lift, bought_periods)
""",
    "customer_products": """
create view marts.customer_products as
select bought.product_id, next.customer_id, bought.periods, next.as_of
from marts.customer_next_purchases as next
cross join lateral unnest(next.products, next.product_periods) as bought (product_id, periods)
""",
}
_ROWS = {
    "customer_interests": """
create table marts.customer_interests_rows (
    customer_id text not null,
    category text not null,
    likelihood double precision not null,
    lift double precision not null,
    bought_periods smallint not null,
    as_of date not null,
    constraint customer_interests_pkey primary key (customer_id, category)
);
insert into marts.customer_interests_rows
select customer_id, category, likelihood, lift, bought_periods, as_of from marts.customer_interests
""",
    "customer_products": """
create table marts.customer_products_rows (
    product_id text not null,
    customer_id text not null,
    periods smallint not null,
    as_of date not null,
    constraint customer_products_pkey primary key (product_id, customer_id)
);
insert into marts.customer_products_rows
select product_id, customer_id, periods, as_of from marts.customer_products
""",
}
_ABOUT = {
    "customer_interests": (
        (
            "Grain: customer, category. What customers are likely to buy next, of the newest published day: "
            "rows where a customer is likelier to buy than the average customer, for categories that the "
            "encoder foresees. Empty for a shop without categories, and on a day without a model "
            "(model_version rfm). Likelihoods may be summed over customers (expected buyers), not over "
            "categories. Whom to write to: marts.audience(item, n), which leaves out the holdout and who may "
            "not be contacted."
        ),
        {
            "customer_id": ("the shop's customer key, as text"),
            "category": ("product category, as the shop calls it"),
            "likelihood": ("chance (0 to 1) that the customer buys from the category in the 28 days after as_of"),
            "lift": ("likelihood over the mean of all customers with an order; above 1"),
            "bought_periods": ("28-day periods of the last 365 days in which the customer bought from it, 0 to 14"),
            "as_of": ("business day that the 28 days follow; the same for all rows"),
        },
    ),
    "customer_products": (
        (
            "Grain: product, customer. What customers come back for, of the newest published day: products of"
            " marts.product_shares bought in at least two 28-day periods, at most ten of a customer. Periods "
            "must not be summed over products."
        ),
        {
            "product_id": ("the shop's product key, as text"),
            "customer_id": ("the shop's customer key, as text"),
            "periods": ("28-day periods of the last 365 days in which the customer bought it, 2 to 14"),
            "as_of": ("business day whose end is described; the same for all rows"),
        },
    ),
}


def upgrade() -> None:
    op.create_table(
        "customer_next_purchases",
        sa.Column(
            "customer_id",
            sa.Text(),
            nullable=False,
            comment=("the shop's customer key, as text"),
        ),
        sa.Column(
            "categories",
            postgresql.ARRAY(sa.Text()),
            nullable=False,
            comment=("categories of interest, likeliest first"),
        ),
        sa.Column(
            "likelihoods",
            postgresql.ARRAY(sa.Double()),
            nullable=False,
            comment=("of each category, see marts.customer_interests"),
        ),
        sa.Column(
            "lifts",
            postgresql.ARRAY(sa.Double()),
            nullable=False,
            comment=("of each category, see marts.customer_interests"),
        ),
        sa.Column(
            "bought_periods",
            postgresql.ARRAY(sa.SmallInteger()),
            nullable=False,
            comment=("of each category, see marts.customer_interests"),
        ),
        sa.Column(
            "products",
            postgresql.ARRAY(sa.Text()),
            nullable=False,
            comment=("products come back for, bought in most periods first"),
        ),
        sa.Column(
            "product_periods",
            postgresql.ARRAY(sa.SmallInteger()),
            nullable=False,
            comment=("of each product, see marts.customer_products"),
        ),
        sa.Column(
            "as_of",
            sa.Date(),
            nullable=False,
            comment=("business day that the next 28 days follow; the same for all rows"),
        ),
        sa.PrimaryKeyConstraint("customer_id"),
        schema="marts",
        comment=(
            "Grain: customer. What customers are likely to buy next and what they come back for, of the "
            "newest published day, one row each so that a large shop is published in seconds: "
            "marts.customer_interests and marts.customer_products show the same, one row per category and "
            "product. Empty for a shop without categories, and on a day without a model (model_version rfm). "
            "Whom to write to: marts.audience(item, n)."
        ),
    )
    op.execute(_FROM_ROWS)
    for name, view in _VIEWS.items():
        op.drop_table(name, schema="marts")
        op.execute(view)
    _describe("view")
    audience = Path(__file__).with_name("0009_audience.sql").read_text()
    # the driver takes a single per cent sign for a placeholder
    op.get_bind().exec_driver_sql(audience.replace("%", "%%"))


def downgrade() -> None:
    for name, table in _ROWS.items():
        op.execute(table)
        op.execute(f"drop view marts.{name}")
        op.execute(f"alter table marts.{name}_rows rename to {name}")
    _describe("table")
    op.create_index("customer_interests_category", "customer_interests", ["category", "likelihood"], schema="marts")
    op.create_index("customer_products_customer", "customer_products", ["customer_id"], schema="marts")
    op.drop_table("customer_next_purchases", schema="marts")
    before = import_module("segmentation.publish.migrations.versions.0004_add_affinities_and_interests")
    op.execute(before._AUDIENCE.replace("create function", "create or replace function"))


def _describe(kind: str) -> None:
    for name, (about, columns) in _ABOUT.items():
        op.execute(f"comment on {kind} marts.{name} is {_quoted(about)}")
        for column, comment in columns.items():
            op.execute(f"comment on column marts.{name}.{column} is {_quoted(comment)}")


def _quoted(words: str) -> str:
    return "'" + words.replace("'", "''") + "'"
