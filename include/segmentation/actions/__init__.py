"""What to do about each segment: marketing's playbook, matched to segments by their traits and ranked by value."""
