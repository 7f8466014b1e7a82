"""Measures every figure of the README beside its baseline: ``python -m benchmarks``."""
