"""Faults of real operation: cron with files in any order, killed processes."""
