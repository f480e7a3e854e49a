"""The operations page: queue, workers, failures and disk usage."""
