"""One image set: from files and options to images, FITS files, pictures, report and index rows."""
