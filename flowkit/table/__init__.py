"""Iceberg tables: reading in shards, writing in parts, one commit for all of them."""
