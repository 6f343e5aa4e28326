"""Where the work on buckets of customers is done; an engine runs functions, and knows nothing of what they do."""
