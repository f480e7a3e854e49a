"""Archives as large as those of many years, to see what the pages make of them."""
