"""The last step: one transaction that puts a night's labels into the warehouse, and the warehouse itself."""
