"""Images from visibilities: one Fourier operator, one result type, a module per method."""
