"""Sphinx reads the whole tree, so that README, changelog and design notes are pages where they lie."""

from importlib.metadata import version as installed_version
from pathlib import Path

from sphinx.addnodes import pending_xref
from sphinx.application import Sphinx
from sphinx.transforms.post_transforms import SphinxPostTransform

project = "STIX flare-imaging archive"
author = "STIX flare-imaging archive developers"
copyright = f"2026, {author}"
version = release = installed_version("stix-flare-archive")

root_doc = "docs/index"
extensions = ["myst_parser"]
source_suffix = {".md": "markdown"}
include_patterns = ["docs/**", "README.md", "CHANGELOG.md", "*/DESIGN.md", "stixcore/CONVENTIONS.md"]
exclude_patterns = ["docs/_build", ".*"]
myst_heading_anchors = 4

html_theme = "furo"
html_title = f"{project} {release}"
html_additional_pages = {"index": "redirect.html"}
templates_path = ["_templates"]
html_copy_source = False
html_show_sourcelink = False


class FolderLinks(SphinxPostTransform):
    """Turn links to folders, which a repository's page can follow and these pages cannot, into their text."""

    default_priority = 1  # before the resolver that would warn about them

    def run(self) -> None:
        here = Path(self.env.doc2path(self.env.docname)).parent
        for link in list(self.document.findall(pending_xref)):
            if (here / link["reftarget"]).is_dir():
                link.replace_self(link.children)


def write_reference(app: Sphinx) -> None:
    """Pages that are made from the code, so that they cannot differ from it."""
    from archive import schema_markdown
    from jobs.cli import build_parser

    folder = Path(app.srcdir) / "docs" / "reference"
    folder.mkdir(exist_ok=True)
    (folder / "tables.md").write_text(schema_markdown(), encoding="utf-8")
    usage = "\n".join(f"    {line}" for line in build_parser().format_help().splitlines())
    (folder / "command_line.md").write_text(f"# Command line\n\n{usage}\n", encoding="utf-8")


def setup(app: Sphinx) -> None:
    app.connect("builder-inited", write_reference)
    app.add_post_transform(FolderLinks)
