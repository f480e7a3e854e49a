"""Programs that make the tables of `stixcore/spectra/data`; nothing imports them at run time."""
