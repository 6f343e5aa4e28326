-- Which products are bought most within their category?
select category, product_id, description, buyers, round(share::numeric, 3) as share
from marts.product_shares
where segment_id = -1
order by category, share desc, product_id;

-- Where is a product more popular in a segment than in the shop?
select segments.name, ours.product_id, ours.description, round(ours.share::numeric, 3) as share,
       round(shop.share::numeric, 3) as in_the_shop
from marts.product_shares as ours
join marts.product_shares as shop on shop.product_id = ours.product_id and shop.segment_id = -1
join marts.segments on segments.segment_id = ours.segment_id
where ours.share > shop.share
order by ours.share / shop.share desc, segments.name, ours.product_id
limit 20;

-- How many products of each category can be asked for with marts.audience?
select category, count(distinct product_id) as products
from marts.product_shares
group by category
order by products desc, category;
