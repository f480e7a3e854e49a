"""The image archive: a table of images with filters, selection, comparison, tracks and exports."""
