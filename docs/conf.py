"""Sphinx reads the whole tree, so that README, changelog and design notes become pages in place."""

import os
import re
import sys
from importlib.metadata import version as installed_version
from pathlib import Path
from tempfile import TemporaryDirectory

from docutils.nodes import Element, Node, inline, reference
from sphinx.addnodes import download_reference, pending_xref
from sphinx.application import Sphinx
from sphinx.transforms.post_transforms import SphinxPostTransform

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

project = "STIX flare-imaging archive"
author = "STIX flare-imaging archive developers"
copyright = f"2026, {author}"
version = release = installed_version("stix-flare-archive")

root_doc = "docs/index"
extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "sphinx.ext.viewcode"]
source_suffix = {".md": "markdown"}
include_patterns = ["docs/**", "README.md", "CHANGELOG.md", "*/DESIGN.md", "stixcore/CONVENTIONS.md"]
exclude_patterns = ["docs/_build", ".*"]
myst_heading_anchors = 4

autodoc_typehints = "none"  # the source text of a signature is shorter than its evaluation
autodoc_member_order = "bysource"
autodoc_preserve_defaults = True
napoleon_google_docstring = False
napoleon_use_ivar = True
napoleon_use_rtype = False
python_maximum_signature_line_length = 88
toc_object_entries = False

suppress_warnings = ["ref.python"]  # the same short name in two modules; types of attributes are then not links

html_theme = "furo"
html_title = f"{project} {release}"
# old addresses
html_additional_pages = {"index": "redirect.html", "docs/one_pull": "redirect.html"}
templates_path = ["_templates"]
html_copy_source = False
html_show_sourcelink = False

_INLINE_CODE = re.compile(r"``.*?``|`[^`]+`")


class SourceLinks(SphinxPostTransform):
    """Resolve links to files of the repository: a Python file becomes its source page, a folder its name."""

    default_priority = 1  # before the resolver that would warn about them

    def run(self) -> None:
        here = Path(self.env.doc2path(self.env.docname)).parent
        for link in [*self.document.findall(pending_xref), *self.document.findall(download_reference)]:
            place, _, name = link["reftarget"].partition("#")
            path = (here / place).resolve()
            if place and path.is_dir():
                link.replace_self(link.children)
            elif path.suffix == ".py" and path.is_relative_to(ROOT):
                link.replace_self(self._to_source(path, name, link))

    def _to_source(self, path: Path, name: str, link: Element) -> Node:
        module = path.relative_to(ROOT).with_suffix("").as_posix()
        if module.replace("/", ".") not in getattr(self.env, "_viewcode_modules", {}):
            return inline("", "", *link.children)  # page scripts have three lines and need no page
        target = self.app.builder.get_relative_uri(self.env.docname, f"_modules/{module}")
        return reference("", "", *link.children, refuri=f"{target}#{name}" if name else target, internal=True)


def escape_formulas(app: Sphinx, what: str, name: str, obj: object, options: object, lines: list[str]) -> None:
    """Escape docstrings: they are plain text with formulas, in which |V|, a*b and names_ are not markup.

    Indented parts of a module docstring are examples or drawings and are kept.
    """
    kept: list[str] = []
    literal = False
    for number, line in enumerate(lines):
        indented = what == "module" and line.startswith("    ")
        if indented and not literal and number and not lines[number - 1].strip():
            literal = True
            if not any(earlier.endswith("::") for earlier in kept[-2:]):
                kept += ["::", ""]
        elif line.strip() and not indented:
            literal = False
        kept.append(line if literal else _escaped_but_code(line))
    lines[:] = kept


def _escaped_but_code(line: str) -> str:
    parts: list[str] = []
    last = 0
    for code in _INLINE_CODE.finditer(line):
        parts += [_escaped(line[last : code.start()]), code.group()]
        last = code.end()
    return "".join([*parts, _escaped(line[last:])])


def _escaped(text: str) -> str:
    return re.sub(r"([|*])|_(?=\W|$)", lambda match: "\\" + match.group(), text)


def write_pages(app: Sphinx) -> None:
    """Write the pages that are generated from the code."""
    from archive import schema_markdown
    from docs.figures import methods
    from docs.makers import reference
    from docs.makers.example import image_example, write_example
    from docs.makers.gallery import gallery

    folder = Path(app.srcdir) / "docs" / "made"
    with TemporaryDirectory() as made:
        files = write_example(Path(made))
        images = image_example(files)
        (folder / "pictures").mkdir(parents=True, exist_ok=True)
        methods.draw(files, images, folder / "pictures")
        real = Path(os.environ.get("STIX_SHARED_DATA", ROOT.parent / "shared" / "data"))
        shown = gallery(folder / "gallery", Path(made) / "gallery", real if real.is_dir() else None)
    pages = {
        "gallery": shown,
        "keywords": reference.keywords(images),
        "command_line": reference.command_line(),
        "tables": schema_markdown(),
        "products": reference.products(),
        "decisions": reference.decisions(),
        **{f"python/{name}": text for name, text in reference.python_pages()},
    }
    for old in folder.rglob("*.md"):
        if str(old.relative_to(folder).with_suffix("")) not in pages:
            old.unlink()
    for name, text in pages.items():
        path = folder / f"{name}.md"
        path.parent.mkdir(parents=True, exist_ok=True)
        if not path.exists() or path.read_text(encoding="utf-8") != text:  # unchanged pages are not read again
            path.write_text(text, encoding="utf-8")


def setup(app: Sphinx) -> None:
    app.connect("builder-inited", write_pages)
    # after napoleon, which would take an escaped asterisk for a name
    app.connect("autodoc-process-docstring", escape_formulas, priority=900)
    app.add_post_transform(SourceLinks)
