"""Functions that stand, as text, inside the scripts people take home. They know nothing of this software."""
