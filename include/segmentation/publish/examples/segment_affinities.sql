-- What does each segment buy more than the shop does?
select segments.name, affinity.item as category, affinity.buyers, round(affinity.lift::numeric, 2) as lift
from marts.segment_affinities as affinity
join marts.segments on segments.segment_id = affinity.group_id
where affinity.kind = 'segment' and affinity.level = 'category' and affinity.rank <= 3
    and affinity.as_of = (select max(as_of) from marts.customer_segments)
order by segments.name, affinity.rank;

-- Which products go with each taste?
select tastes.name, affinity.item as product, affinity.description, round(affinity.lift::numeric, 2) as lift
from marts.segment_affinities as affinity
join marts.tastes on tastes.taste_id = affinity.group_id
where affinity.kind = 'taste' and affinity.level = 'product' and affinity.rank <= 3
    and affinity.as_of = (select max(as_of) from marts.customer_segments)
order by tastes.name, affinity.rank;

-- In which segments is a category bought most?
select affinity.item as category, segments.name, affinity.support, affinity.shop_support
from marts.segment_affinities as affinity
join marts.segments on segments.segment_id = affinity.group_id
where affinity.kind = 'segment' and affinity.level = 'category'
    and affinity.as_of = (select max(as_of) from marts.customer_segments)
order by category, affinity.support desc, segments.name;
