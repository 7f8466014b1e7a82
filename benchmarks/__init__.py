"""Every figure that the README quotes, with what it is compared to: ``python -m benchmarks``."""
