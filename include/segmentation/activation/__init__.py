"""Campaigns' customers go where they are written to: files, objects, webhooks."""
