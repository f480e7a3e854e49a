"""What an image set says about itself: its landing page, and metadata for search engines, DataCite and BibTeX."""
