"""Tables of the archive for programs of the Virtual Observatory: TAP 1.1, a cut of ADQL, EPN-TAP 2.0."""
