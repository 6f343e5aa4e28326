"""What is known of each customer as of a day: features, timelines, category shares and, for training, futures."""
