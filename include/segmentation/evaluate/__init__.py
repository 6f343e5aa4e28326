"""Scores a night's segmentation against the future that has come true, and decides whether it is published."""
