"""Labels within the day: who did something since the night, brought forward by the night's own model and segments."""
