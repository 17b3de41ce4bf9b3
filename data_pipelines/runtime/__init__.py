"""System services for both packages: errors, limits, atomic results, locks, worker processes, flags of commands."""
