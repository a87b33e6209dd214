"""Programs that measure the cores on public data: ``python -m benchmarks.NAME … --json``."""
