"""YAML that remembers its lines and reads every scalar as text: the schema, not YAML, decides what `0123` is.

Duplicate keys and sections repeated by alias are refused: a configuration says each thing once, plainly.
"""

from dataclasses import dataclass, field
from pathlib import Path

import yaml

Key = str | int
Path_ = tuple[Key, ...]
Tree = dict[str, "Tree"] | list["Tree"] | str | None


@dataclass
class Document:
    """`tree` of dict, list, text and None; `lines` tells the 1-based line of each path in it."""

    tree: Tree = None
    lines: dict[Path_, int] = field(default_factory=dict)
    mistakes: list[tuple[int, str]] = field(default_factory=list)

    def line_of(self, path: Path_) -> int:
        """The line of the path, or of the nearest thing around it."""
        while path and path not in self.lines:
            path = path[:-1]
        return self.lines.get(path, 1)


def read_yaml(path: Path) -> Document:
    """Read a file. Syntax errors stand in `mistakes`; OSError goes up."""
    document = Document()
    try:
        node = yaml.compose(path.read_text(encoding="utf-8"), Loader=yaml.SafeLoader)
    except UnicodeDecodeError as error:
        document.mistakes.append((1, f"not UTF-8 text (byte {error.start})"))
        return document
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        what = " ".join(part for part in (error.context, error.problem) if part)
        document.mistakes.append((mark.line + 1 if mark else 1, f"not YAML: {what}"))
        return document
    except yaml.YAMLError as error:
        document.mistakes.append((1, f"not YAML: {str(error).splitlines()[0]}"))
        return document
    if node is not None:
        document.tree = _convert(node, (), document, set())
    return document


def _convert(node: yaml.Node, path: Path_, document: Document, seen: set[int]) -> Tree:
    document.lines.setdefault(path, node.start_mark.line + 1)
    if isinstance(node, yaml.CollectionNode) and id(node) in seen:
        document.mistakes.append((document.lines[path], f"{spell(path)}: repeats a section by *alias; write it out"))
        return None
    seen.add(id(node))
    if isinstance(node, yaml.MappingNode):
        mapping: dict[str, Tree] = {}
        for key_node, value_node in node.value:
            line = key_node.start_mark.line + 1
            if not isinstance(key_node, yaml.ScalarNode):
                document.mistakes.append((line, f"{spell(path)}: an option's name must be plain text"))
                continue
            key = key_node.value
            if key in mapping:
                first = document.lines[(*path, key)]
                document.mistakes.append((line, f"{spell((*path, key))}: stands twice (first in line {first})"))
                continue
            document.lines[(*path, key)] = line
            mapping[key] = _convert(value_node, (*path, key), document, seen)
        return mapping
    if isinstance(node, yaml.SequenceNode):
        return [_convert(item, (*path, index), document, seen) for index, item in enumerate(node.value)]
    is_null = node.tag == "tag:yaml.org,2002:null"
    return None if is_null else str(node.value)


def spell(path: Path_, tree: Tree = None) -> str:
    """`cameras[gate].motion.threshold`: items of a list by their `name` or `id` where they have one."""
    text = ""
    here: Tree = tree
    for key in path:
        if isinstance(key, int):
            item = here[key] if isinstance(here, list) and key < len(here) else None
            label = (item.get("name") or item.get("id")) if isinstance(item, dict) else None
            text += f"[{label if isinstance(label, str) else key}]"
            here = item
        else:
            text += f".{key}" if text else key
            here = here.get(key) if isinstance(here, dict) else None
    return text or "the file"
