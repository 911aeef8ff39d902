"""Tools that test and demonstrate AegisPay: temporary installations, the demo, the benchmarks, the crash test."""
