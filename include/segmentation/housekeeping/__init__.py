"""What is kept for how long, and what goes: never what a backfill within the policy needs."""
