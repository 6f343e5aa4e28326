"""Add what groups buy, what customers will buy next, their consent, and marts.audience."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

# Whom to write to about a category or a product. Runs with the rights of who asks: marketing may read all of it.
_AUDIENCE = """
create function marts.audience(item text, n integer)
returns table (
    customer_id text,
    likelihood double precision,
    segment_id integer,
    segment_name text,
    taste_name text,
    may_contact boolean,
    as_of date
)
language plpgsql stable
set search_path = pg_catalog
as $function$
#variable_conflict use_column
declare
    known text[];
    wanted text;
    nearest text;
begin
    if n is null or n < 1 then
        raise exception using
            errcode = 'invalid_parameter_value',
            message = 'an audience has at least one customer, n is ' || coalesce(n::text, 'null');
    end if;

    -- the categories, by a jump from each to the next in the index
    with recursive jump(category) as (
        (select i.category from marts.customer_interests as i order by i.category limit 1)
        union all
        select (
            select i.category from marts.customer_interests as i
            where i.category > jump.category order by i.category limit 1
        )
        from jump where jump.category is not null
    )
    select array_agg(jump.category order by jump.category) into known from jump where jump.category is not null;

    if known is null then
        raise exception using
            errcode = 'invalid_parameter_value',
            message = 'it is not known what customers will buy next: marts.customer_interests is empty',
            hint = 'The shop has no product categories, or the newest published day has no model';
    end if;

    select category into wanted
    from unnest(known) as category
    where lower(category) = lower(item)
    order by category <> item, category
    limit 1;

    if wanted is not null then
        return query
        select i.customer_id, i.likelihood, c.segment_id, c.segment_name, c.taste_name, c.may_contact, i.as_of
        from marts.customer_interests as i
        join marts.customer_segments as c on c.customer_id = i.customer_id
        where i.category = wanted and not c.holdout and c.may_contact is not false
        order by i.likelihood desc, i.customer_id
        limit n;
        return;
    end if;

    if exists (select from marts.product_shares as p where p.product_id = item and p.segment_id = -1) then
        -- chance of the category, times the share of the product in the customer's own periods with the category, mixed
        -- with the segment's share as if two more periods had been seen
        return query
        select
            i.customer_id,
            round((
                i.likelihood
                * (least(coalesce(own.periods, 0), i.bought_periods) + 2 * coalesce(of_segment.share, of_shop.share))
                / (i.bought_periods + 2)
            )::numeric, 6)::double precision as chance,
            c.segment_id, c.segment_name, c.taste_name, c.may_contact, i.as_of
        from marts.product_shares as of_shop
        join marts.customer_interests as i on i.category = of_shop.category
        join marts.customer_segments as c on c.customer_id = i.customer_id
        left join marts.product_shares as of_segment
            on of_segment.product_id = of_shop.product_id and of_segment.segment_id = c.segment_id
        left join marts.customer_products as own
            on own.product_id = of_shop.product_id and own.customer_id = i.customer_id
        where of_shop.product_id = item and of_shop.segment_id = -1 and not c.holdout and c.may_contact is not false
        order by chance desc, i.customer_id
        limit n;
        return;
    end if;

    -- likeness: pairs of letters that both names have (Dice)
    select string_agg(found.category, ', ' order by found.likeness desc, found.category) into nearest
    from (
        select category, (
            select count(*)
            from (
                select substr(lower(category), place, 2) from generate_series(1, length(category) - 1) as place
                intersect
                select substr(lower(item), place, 2) from generate_series(1, length(item) - 1) as place
            ) as shared
        ) * 2.0 / (length(category) + coalesce(length(item), 0)) as likeness
        from unnest(known) as category
        order by likeness desc, category
        limit 3
    ) as found;
    raise exception using
        errcode = 'invalid_parameter_value',
        message = coalesce(quote_literal(item), 'null') || ' is no category that can be foreseen, nor a product of one',
        hint = 'The nearest categories are: ' || nearest || '. Products are in marts.product_shares';
end
$function$
"""
_ABOUT_AUDIENCE = (
    "The n customers most likely to buy from a category, or a product (its key as text), in the 28 days after the "
    "newest published day, likeliest first. Left out: the holdout, who may not be contacted, and who is no likelier to "
    "buy from the category than the average customer."
)


def upgrade() -> None:
    op.create_table(
        "customer_interests",
        sa.Column("customer_id", sa.Text(), nullable=False, comment="the shop's customer key, as text"),
        sa.Column("category", sa.Text(), nullable=False, comment="product category, as the shop calls it"),
        sa.Column(
            "likelihood",
            sa.Double(),
            nullable=False,
            comment=("chance (0 to 1) that the customer buys from the category in the 28 days after as_of"),
        ),
        sa.Column(
            "lift",
            sa.Double(),
            nullable=False,
            comment="likelihood over the mean of all customers with an order; above 1",
        ),
        sa.Column(
            "bought_periods",
            sa.SmallInteger(),
            nullable=False,
            comment=("28-day periods of the last 365 days in which the customer bought from it, 0 to 14"),
        ),
        sa.Column(
            "as_of", sa.Date(), nullable=False, comment="business day that the 28 days follow; the same for all rows"
        ),
        sa.PrimaryKeyConstraint("customer_id", "category"),
        schema="marts",
        comment=(
            "Grain: customer, category. What customers are likely to buy next, of the newest published day: "
            "rows where a customer is likelier to buy than the average customer, for categories that the "
            "encoder foresees. Empty for a shop without categories, and on a day without a model "
            "(model_version rfm). Likelihoods may be summed over customers (expected buyers), not over "
            "categories. Whom to write to: marts.audience(item, n), which leaves out the holdout and who may"
            " not be contacted."
        ),
    )
    op.create_index(
        "customer_interests_category", "customer_interests", ["category", "likelihood"], unique=False, schema="marts"
    )
    op.create_table(
        "customer_products",
        sa.Column("product_id", sa.Text(), nullable=False, comment="the shop's product key, as text"),
        sa.Column("customer_id", sa.Text(), nullable=False, comment="the shop's customer key, as text"),
        sa.Column(
            "periods",
            sa.SmallInteger(),
            nullable=False,
            comment="28-day periods of the last 365 days in which the customer bought it, 2 to 14",
        ),
        sa.Column(
            "as_of", sa.Date(), nullable=False, comment="business day whose end is described; the same for all rows"
        ),
        sa.PrimaryKeyConstraint("product_id", "customer_id"),
        schema="marts",
        comment=(
            "Grain: product, customer. What customers come back for, of the newest published day: products "
            "of marts.product_shares bought in at least two 28-day periods, at most ten of a customer. "
            "Periods must not be summed over products."
        ),
    )
    op.create_index("customer_products_customer", "customer_products", ["customer_id"], unique=False, schema="marts")
    op.create_table(
        "product_shares",
        sa.Column("product_id", sa.Text(), nullable=False, comment="the shop's product key, as text"),
        sa.Column(
            "segment_id",
            sa.Integer(),
            autoincrement=False,
            nullable=False,
            comment="segment, see marts.segments; -1 = all the shop's customers",
        ),
        sa.Column("category", sa.Text(), nullable=False, comment="the product's category"),
        sa.Column(
            "description",
            sa.Text(),
            nullable=True,
            comment="category, subcategory and brand, as far as the shop has them",
        ),
        sa.Column("buyers", sa.Integer(), nullable=False, comment="customers who bought it in the last 365 days"),
        sa.Column(
            "share",
            sa.Double(),
            nullable=False,
            comment=(
                "of the 28-day periods in which these customers bought from the category, the share (0 to 1) in "
                "which they bought the product"
            ),
        ),
        sa.Column(
            "as_of", sa.Date(), nullable=False, comment="business day whose end is described; the same for all rows"
        ),
        sa.PrimaryKeyConstraint("product_id", "segment_id"),
        schema="marts",
        comment=(
            "Grain: product, segment. How much of a category's purchases a product is, of the newest "
            "published day; marts.audience reads it to answer for a product. Left out: products with fewer "
            "buyers in the segment than publish.minimum_group (10), and categories without rows in "
            "marts.customer_interests. Shares must not be summed: one purchase holds many products."
        ),
    )
    op.create_table(
        "segment_affinities",
        sa.Column("as_of", sa.Date(), nullable=False, comment="business day whose end is described"),
        sa.Column("kind", sa.Text(), nullable=False, comment="segment or taste: what group_id is a number of"),
        sa.Column(
            "group_id",
            sa.Integer(),
            autoincrement=False,
            nullable=False,
            comment="segment, see marts.segments, or taste, see marts.tastes",
        ),
        sa.Column("level", sa.Text(), nullable=False, comment="category or product: what item is"),
        sa.Column("item", sa.Text(), nullable=False, comment="category, or the shop's product key as text"),
        sa.Column(
            "description",
            sa.Text(),
            nullable=True,
            comment="category, subcategory and brand of a product, as far as the shop has them",
        ),
        sa.Column(
            "buyers",
            sa.Integer(),
            nullable=False,
            comment="customers of the group who bought it in the last 365 days, void orders left out",
        ),
        sa.Column(
            "support", sa.Double(), nullable=False, comment="buyers as a share (0 to 1) of the group's customers"
        ),
        sa.Column(
            "shop_support",
            sa.Double(),
            nullable=False,
            comment="share (0 to 1) of all the shop's customers who bought it",
        ),
        sa.Column("lift", sa.Double(), nullable=False, comment="support / shop_support; 1 = as in the shop"),
        sa.Column(
            "rank",
            sa.Integer(),
            nullable=False,
            comment=(
                "1 = first, by (buyers + a) / (expected buyers + a) with a = setting publish.minimum_group: a "
                "lift that few buyers support counts as nearer to 1"
            ),
        ),
        sa.PrimaryKeyConstraint("as_of", "kind", "group_id", "level", "item"),
        schema="marts",
        comment=(
            "Grain: as_of, kind, group_id, level, item. How much more (lift above 1) or less a segment or a "
            "taste buys than the shop: the first 20 of each level. An item with fewer buyers in the group than "
            "publish.minimum_group (10) is left out. Empty for a shop without order items; without product "
            "categories there are products only. A customer buys many items, so buyers must not be summed "
            "over items, nor over days."
        ),
    )
    op.add_column(
        "customer_segments",
        sa.Column(
            "may_contact",
            sa.Boolean(),
            nullable=True,
            comment=("the customer's consent to be written to, as of the day; null = the shop does not say"),
        ),
        schema="marts",
    )
    op.execute(_AUDIENCE)
    op.execute(f"comment on function marts.audience(text, integer) is '{_ABOUT_AUDIENCE}'")
    op.execute("revoke all on function marts.audience(text, integer) from public")


def downgrade() -> None:
    op.execute("drop function marts.audience(text, integer)")
    op.drop_column("customer_segments", "may_contact", schema="marts")
    op.drop_table("segment_affinities", schema="marts")
    op.drop_table("product_shares", schema="marts")
    op.drop_index("customer_products_customer", table_name="customer_products", schema="marts")
    op.drop_table("customer_products", schema="marts")
    op.drop_index("customer_interests_category", table_name="customer_interests", schema="marts")
    op.drop_table("customer_interests", schema="marts")
