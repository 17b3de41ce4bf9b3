"""Shards -> clips -> batches."""
