"""Writes the tables of docs/configuration.md from conf/: its groups, their choices, each key, value and comment."""

import re
from collections.abc import Iterator
from pathlib import Path

import yaml

CONF = Path(__file__).parent.parent / "conf"
PACKAGE_LINE = "# @package"


def configuration() -> str:
    """Returns Markdown: the two commands, then the groups in the order in which conf/train.yaml asks for them."""
    parts = [
        *_command("train.py", CONF / "train.yaml"),
        *_command("test.py", CONF / "test.yaml"),
    ]
    for group in groups():
        parts.append(f"## {group} {{#{slug(group)}}}")
        chosen = dict(_choices(CONF / "train.yaml")).get(group)
        if chosen:
            parts.append(f"`python train.py` takes `{group}={chosen}`.")
        for file in sorted((CONF / group).glob("*.yaml")):
            parts.append(f"### {group}={file.stem} {{#{slug(group)}-{slug(file.stem)}}}")
            parts += _file(file)
    return "\n\n".join(parts)


def groups() -> list[str]:
    """Returns the folders of conf/ that hold choices, as conf/train.yaml orders them; Hydra's own are the last."""
    asked = [group for group, _ in _choices(CONF / "train.yaml")]
    found = sorted({file.parent.relative_to(CONF).as_posix() for file in CONF.glob("*/**/*.yaml")})
    return sorted(
        found,
        key=lambda group: (group.startswith("hydra"), asked.index(group) if group in asked else len(asked), group),
    )


def keys(file: Path) -> Iterator[tuple[str, str, str]]:
    """Yields each key of a yaml file as one types it, its value as it is written there and its comment.

    Left out are `defaults` and texts of several lines, which nobody types.
    """
    lines = file.read_text("utf-8").splitlines()
    root = yaml.compose("\n".join(lines))
    if isinstance(root, yaml.MappingNode):
        root.value = [(name, value) for name, value in root.value if name.value != "defaults"]
        in_package = file.parent != CONF and f"{PACKAGE_LINE} _global_" not in lines
        yield from _keys(root, lines, f"{'.'.join(file.parent.relative_to(CONF).parts)}." if in_package else "")


def _keys(node: yaml.MappingNode, lines: list[str], prefix: str) -> Iterator[tuple[str, str, str]]:
    for name, value in node.value:
        key = f"{prefix}{name.value}"
        comment = " ".join([*_comments_above(name, lines), *_comment_beside(name, value, lines)])
        if isinstance(value, yaml.MappingNode) and value.value and not value.flow_style:
            if comment:
                yield key, "", comment
            yield from _keys(value, lines, f"{key}.")
        elif not (isinstance(value, yaml.ScalarNode) and value.style in ("|", ">")):
            yield key, _written(value, lines), comment


def _comments_above(name: yaml.Node, lines: list[str]) -> list[str]:
    """Returns the comment lines right above a key; those at the head of the file are of the whole file."""
    line = first = name.start_mark.line
    while line > 0 and lines[line - 1].lstrip().startswith("#"):
        line -= 1
    return [text.strip("# ") for text in lines[line:first]] if line else []


def _comment_beside(name: yaml.Node, value: yaml.Node, lines: list[str]) -> list[str]:
    """Returns what follows " #" on the line where the value ends, or the key, if the value begins below it."""
    mark = value.end_mark if value.start_mark.line == name.end_mark.line else name.end_mark
    found = re.match(r"[:,\s]*#\s*(.+)", lines[mark.line][mark.column :]) if mark.line < len(lines) else None
    return [found[1]] if found else []


def _written(value: yaml.Node, lines: list[str]) -> str:
    start, end = value.start_mark, value.end_mark
    return (
        " ".join(lines[start.line : end.line + 1])[start.column :]
        if start.line != end.line
        else lines[start.line][start.column : end.column].rstrip()
    )


def _choices(file: Path) -> list[tuple[str, str]]:
    """Returns what the `defaults` of a file choose: group and choice; the group is "" for a file of the same folder."""
    content = yaml.safe_load(file.read_text("utf-8")) or {}
    chosen = []
    for entry in content.get("defaults", []):
        for group, choice in ({"": entry} if isinstance(entry, str) else entry).items():
            if choice != "_self_" and choice is not None:
                choice = f"[{','.join(choice)}]" if isinstance(choice, list) else choice
                chosen.append((group.removeprefix("override").strip(" /"), choice))
    return chosen


def _command(name: str, file: Path) -> list[str]:
    """Returns the section of a command: what it is, which choices it makes, its own keys."""
    heading = [f"## {name} {{#{slug(name)}}}", *_head(file)]
    chosen = [f"`{group}={choice}`" for group, choice in _choices(file) if group != "hydra"]
    return [
        *heading,
        *(["Unless something else is typed: " + ", ".join(chosen) + "."] if chosen else []),
        *_table(file),
    ]


def _file(file: Path) -> list[str]:
    """Returns the section of a choice, below its heading."""
    chosen = _choices(file)
    bases = ", ".join(f"`{choice}`" for group, choice in chosen if not group)
    others = ", ".join(f"`{group}={choice}`" for group, choice in chosen if group)
    parts = _head(file)
    if bases:
        parts.append(f"Takes everything from {bases}" + ("; here is what differs." if any(keys(file)) else "."))
    if others:
        parts.append(f"Chooses {others}.")
    return [*parts, *_table(file)]


def _head(file: Path) -> list[str]:
    """Returns the comment at the head of a file; its indented lines are commands and stay as they are."""
    blocks: list[str] = []
    for line in file.read_text("utf-8").splitlines():
        if not line.startswith("#"):
            break
        text = line.removeprefix("#").removeprefix(" ")
        if line.startswith(PACKAGE_LINE):
            continue
        code = text.startswith("  ")
        if blocks and blocks[-1].startswith("    ") == code:
            blocks[-1] += f"\n    {text.strip()}" if code else f" {_plain(text)}"
        else:
            blocks.append(f"    {text.strip()}" if code else _plain(text))
    return blocks


def _table(file: Path) -> list[str]:
    rows = [row for row in keys(file) if not row[0].endswith(("_target_", "_partial_", "_recursive_"))]
    target = [_builds(key, value) for key, value, _ in keys(file) if key.endswith("_target_")]
    if not rows:
        return target
    lines = ["| key | value | comment |", "| --- | --- | --- |"]
    lines += [
        f"| `{key}` | {_code(value)} | {_plain(comment).replace('|', '&#124;')} |" for key, value, comment in rows
    ]
    return [*target, "\n".join(lines)]


def _builds(key: str, target: str) -> str:
    """Returns a sentence with a link to the API pages where they have this class."""
    return f'`{key.removesuffix("._target_")}` is <autoref identifier="{target}" optional>`{target}`</autoref>.'


def _code(value: str) -> str:
    return f"`{value}`" if value else ""


def _plain(text: str) -> str:
    """Returns text in which Markdown and HTML find nothing of theirs but `code`."""
    parts = re.split(r"(`[^`]*`)", text)
    parts[::2] = [re.sub(r"([\\*_{}\[\]#])", r"\\\1", part).replace("<", "&lt;") for part in parts[::2]]
    return "".join(parts)


def slug(name: str) -> str:
    return re.sub(r"[^a-z0-9_]+", "-", name.lower())
