"""The flare list: flares detected in quick-look data, imported lists, and their rows."""
