"""Living entities: records, index, lifecycle hooks, transforms, animation."""
