-- Which category a product is in; empty for a shop without products. Grain: product.
create or replace temp table products (product_id text, category text);
