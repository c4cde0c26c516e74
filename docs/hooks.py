"""What mkdocs runs while it builds the pages: configuration.md, the API's pages, and the texts that lie elsewhere.

The keys come from conf/ and the API from the package's folders, at each build, so that neither goes stale.
"""

import ast
from pathlib import Path

from configuration_page import configuration
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ROOT = Path(__file__).parent.parent
PACKAGE = "fer_lightning"

ELSEWHERE = {
    "benchmarks/README.md": "benchmarks.md",
    "CHANGELOG.md": "changelog.md",
    "CONTRIBUTING.md": "contributing.md",
}
"""Texts outside docs/, and the pages that they become."""

TABLES = "<!-- generated from conf/ -->"
FOLDERS = "<!-- generated from the package -->"


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Adds the cards of the package's networks to the navigation, and the API's pages."""
    docs = ROOT / "docs"
    if cards := [*docs.glob("networks.md"), *sorted((docs / "networks").glob("*.md"))]:
        config.nav.append({"Networks": [card.relative_to(docs).as_posix() for card in cards]})
    pages = [{_name(folder): _page(folder)} for folder in _folders()[1:]]
    config.nav.append({"API": ["api/index.md", *pages]})
    return config


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Adds the pages that lie elsewhere, and one for each folder of the package."""
    for source, page in ELSEWHERE.items():
        files.append(File.generated(config, page, abs_src_path=str(ROOT / source)))
    for folder in _folders()[1:]:
        files.append(File.generated(config, _page(folder), content=_api(folder)))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Fills in what is generated, and turns the repository's links into the site's."""
    if page.file.src_uri == "configuration.md":
        return _filled(markdown, TABLES, configuration())
    if page.file.src_uri == "api/index.md":
        listed = [f"- [{_name(folder)}]({Path(_page(folder)).name}): {_summary(folder)}" for folder in _folders()[1:]]
        return _filled(markdown, FOLDERS, "\n".join(listed) + "\n\n" + _modules(_folders()[0]))
    if page.file.src_uri in ELSEWHERE.values():
        markdown = markdown.replace("](docs/", "](")
    for source, name in ELSEWHERE.items():
        markdown = markdown.replace(f"](../{source}", f"]({name}").replace(f"]({source}", f"]({name}")
    return markdown


def _filled(markdown: str, marker: str, content: str) -> str:
    if marker not in markdown:
        raise ValueError(f"a page lacks the line {marker}")
    return markdown.replace(marker, content)


def _folders() -> list[Path]:
    """Returns the package's folders, the package itself first."""
    return sorted(file.parent for file in (ROOT / PACKAGE).rglob("__init__.py"))


def _name(folder: Path) -> str:
    return ".".join(folder.relative_to(ROOT).parts)


def _page(folder: Path) -> str:
    return f"api/{'.'.join(folder.relative_to(ROOT / PACKAGE).parts)}.md"


def _summary(folder: Path) -> str:
    docstring = ast.get_docstring(ast.parse((folder / "__init__.py").read_text("utf-8"))) or ""
    return docstring.partition("\n\n")[0].replace("\n", " ")


def _api(folder: Path) -> str:
    return f"# {_name(folder)}\n\n{_summary(folder)}\n\n{_modules(folder)}"


def _modules(folder: Path) -> str:
    """Returns what mkdocstrings replaces by the public names of each module in a folder."""
    files = [file for file in sorted(folder.glob("*.py")) if not file.stem.startswith("_")]
    return "\n\n".join(f"::: {_name(folder)}.{file.stem}" for file in files)
