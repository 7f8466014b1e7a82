"""Requests for assets: records, registry, dependencies, cache, handles, batches."""
