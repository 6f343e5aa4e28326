-- Whom to write to about a category or a product. Runs with the rights of who asks: marketing may read all of it.
create or replace function marts.audience(item text, n integer)
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

    -- the name as it is written is looked for first: listing all names takes a look at every customer
    if exists (select from marts.customer_next_purchases as c where item = any(c.categories)) then
        wanted := item;
    elsif exists (select from marts.product_shares as p where p.product_id = item and p.segment_id = -1) then
        -- chance of the category, times the share of the product in the customer's own periods with the category, mixed
        -- with the segment's share as if two more periods had been seen
        return query
        select
            interested.customer_id,
            round((
                interested.likelihood
                * (
                    least(interested.own_periods, interested.bought_periods)
                    + 2 * coalesce(of_segment.share, interested.shop_share)
                )
                / (interested.bought_periods + 2)
            )::numeric, 6)::double precision as chance,
            c.segment_id, c.segment_name, c.taste_name, c.may_contact, interested.as_of
        from (
            select
                next.customer_id,
                next.likelihoods[array_position(next.categories, of_shop.category)] as likelihood,
                next.bought_periods[array_position(next.categories, of_shop.category)] as bought_periods,
                coalesce(next.product_periods[array_position(next.products, of_shop.product_id)], 0) as own_periods,
                of_shop.share as shop_share,
                next.as_of
            from marts.product_shares as of_shop
            join marts.customer_next_purchases as next on of_shop.category = any(next.categories)
            where of_shop.product_id = item and of_shop.segment_id = -1
        ) as interested
        join marts.customer_segments as c on c.customer_id = interested.customer_id
        left join marts.product_shares as of_segment
            on of_segment.product_id = item and of_segment.segment_id = c.segment_id
        where not c.holdout and c.may_contact is not false
        order by chance desc, interested.customer_id
        limit n;
        return;
    else
        select array_agg(distinct category) into known
        from marts.customer_next_purchases as c, unnest(c.categories) as category;

        if known is null then
            raise exception using
                errcode = 'invalid_parameter_value',
                message = 'it is not known what customers will buy next: marts.customer_interests is empty',
                hint = 'The shop has no product categories, or the newest published day has no model';
        end if;

        select category into wanted
        from unnest(known) as category
        where lower(category) = lower(item)
        order by category
        limit 1;
    end if;

    if wanted is not null then
        return query
        select
            next.customer_id,
            next.likelihoods[array_position(next.categories, wanted)] as chance,
            c.segment_id, c.segment_name, c.taste_name, c.may_contact, next.as_of
        from marts.customer_next_purchases as next
        join marts.customer_segments as c on c.customer_id = next.customer_id
        where wanted = any(next.categories) and not c.holdout and c.may_contact is not false
        order by chance desc, next.customer_id
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
$function$;
