-- Grain: product. The whole assortment as it is now.
select {columns}
from {products} as r
