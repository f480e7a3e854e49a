"""What two or more pages use: page frame, tables, figures, formatting, addresses and the archive they show."""
