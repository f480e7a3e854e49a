"""Images of spectral components: their files, pictures and description."""
