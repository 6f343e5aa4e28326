"""What a first evening needs: a Postgres without a system package, public data, a simulated shop."""
