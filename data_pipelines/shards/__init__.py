"""Raw data -> shards, and shards read back."""
