"""Programs that make the shipped data files from published ones. Nothing else imports them."""
