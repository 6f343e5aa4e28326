"""One reporting currency for a shop that sells in several: the rate of an order's day."""
