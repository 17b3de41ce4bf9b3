"""Makes shards from raw data and reads them."""
