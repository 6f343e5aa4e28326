"""Check the day's raw files: bad rows are set aside with their reason, a bad day stops the run."""
