"""What every stage needs of the system: errors, limits, atomic results, locks, worker processes."""
