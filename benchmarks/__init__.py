"""Tables of accuracy and speed. Speeds are ratios to other packages in the same run and are never tested."""
