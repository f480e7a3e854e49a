"""Scripts people take home. Text and nothing else: this package runs none of them."""
