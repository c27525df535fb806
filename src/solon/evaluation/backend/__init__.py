"""What needs torch: the harness that runs other people's benchmarks."""
