"""Quick-look light curves, with the images of what they show."""
