"""A client of this archive in sunpy's Fido: importing this package registers it and the attributes ``a.stix_archive``.

    from sunpy.net import Fido, attrs as a
    import archive.fido

    archive.fido.use("https://stix.example.org")
    found = Fido.search(
        a.Time("2022-11-11 01:00", "2022-11-11 02:00"), a.Provider("stix-archive"), a.stix_archive.Method.clean
    )
    files = Fido.fetch(found)

It needs the extra ``fido`` of the package. sunpy finds clients of other packages only when they are imported.
"""

from archive.fido.client import ADDRESS_VARIABLE, PROVIDER, NoServer, StixArchiveClient, StixArchiveResponse, use

__all__ = ["ADDRESS_VARIABLE", "PROVIDER", "NoServer", "StixArchiveClient", "StixArchiveResponse", "use"]
