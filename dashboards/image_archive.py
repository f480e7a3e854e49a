"""Address ``/image_archive``: every image of the archive."""

from dashboards.pages.image_archive.view import ImageArchivePage

ImageArchivePage.from_session().servable()
