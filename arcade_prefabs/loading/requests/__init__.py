"""Requests for assets: handles, batches, asset records, their registry, scheduler and cache."""
