"""Images from visibilities: one Fourier operator, one result type, one module per method."""
