"""``arcade-prefabs inspect``: shows one asset, its content, its inputs and its dependents."""

from __future__ import annotations

import argparse
import json
import re
from pathlib import Path
from typing import Any, Final

from ..errors import shown
from .facts import gather
from .output import Node, Printer, amount, duration, print_json, say
from .shared import FOUND_ERRORS, OK, add_game_options, add_store_options, opened

__all__ = ["add_inspect"]

# The most characters of a value, and of a head, in the text; --json prints them whole.
_VALUE: Final = 100
_HEAD: Final = 1500
# The number of digits of a hash in a table, enough to tell two hashes apart.
_HASH: Final = 12
# The most names in a list.
_MOST_NAMES: Final = 20


def add_inspect(commands: Any) -> None:
    """Adds the command ``inspect`` to the parser."""
    inspect = commands.add_parser(
        "inspect",
        help="show the content of an asset, its inputs, and the assets that use it",
        description="Show one asset. If it is stale, it is baked first. Assets that use it are not "
        "baked, and listed only if they were baked before.",
    )
    inspect.add_argument(
        "id", metavar="ID", help="such as props/crate, castle.ron#gate or images/crate.png"
    )
    inspect.add_argument(
        "--assets",
        default="assets",
        metavar="ASSETS",
        help="the assets folder, a zip archive of it, or a release file (default: assets)",
    )
    add_game_options(inspect)
    add_store_options(inspect)
    inspect.set_defaults(run=_inspect)


def _inspect(options: argparse.Namespace) -> int:
    # An author who completes the path in a shell writes the assets folder, too.
    folder = Path(options.assets).as_posix() + "/"
    identifier = options.id.removeprefix("./").removeprefix(folder.removeprefix("./"))
    with opened(options) as pipeline:
        facts = gather(pipeline, identifier)
    if options.json:
        facts["errors"] = [record for record, _ in facts["errors"]]
        print_json(facts)
    else:
        _print(facts)
    return FOUND_ERRORS if facts["errors"] else OK


def _print(facts: dict[str, Any]) -> None:
    printer = Printer()
    printer.line(facts["id"])
    printer.table(_summary(facts))
    if facts["outputs"]:
        printer.heading("Outputs")
        printer.table(
            [
                (
                    one["id"],
                    one["kind"],
                    f"{one['pages']:,}",
                    amount(one["unpacked"]),
                    amount(one["packed"]),
                    one["digest"][:_HASH],
                )
                for one in facts["outputs"]
            ],
            ("id", "kind", "pages", "unpacked", "packed", "hash"),
        )
        if len(facts["outputs"]) > 1:
            printer.line(f"Show one of them: arcade-prefabs inspect '{facts['outputs'][0]['id']}'")
    if any(one["kind"] == "abstract" for one in facts["outputs"]):
        printer.line("An abstract prefab is there to be extended: see those that do.")
    if facts["components"] is not None:
        printer.heading("Components")
        printer.tree(_components(facts["components"]) or [Node("none")])
    if facts["children"]:
        printer.heading("Children")
        printer.tree([_child(one) for one in facts["children"]])
        if facts["children_left_out"]:
            printer.line("  … and more than can be shown here")
    if facts["head"] is not None:
        printer.heading("Head")
        text = json.dumps(facts["head"], ensure_ascii=False, indent=2)
        # Each list of numbers, such as a point or a color, in one line.
        text = re.sub(r"\[[^\[\]{}\"]+\]", lambda found: " ".join(found[0].split()), text)
        if len(text) > _HEAD:
            text = f"{text[:_HEAD]}…"
        for line in text.split("\n"):
            printer.line(f"  {line}")
    if not facts["release"]:
        printer.heading("Made from")
        printer.tree([_input(one) for one in facts["made_from"]] or [Node("this file alone")])
    if facts["needs"]:
        printer.heading("Needs at run time")
        missing = "  (not in this release)" if facts["release"] else "  (missing)"
        printer.table(
            [(one["kind"], one["name"] + one["missing"] * missing) for one in facts["needs"]]
        )
    _print_users(printer, facts)
    if facts["errors"]:
        printer.heading("Errors")
        for _, text in facts["errors"]:
            say(text, lines=True, end="\n\n")
        if facts["outputs"]:
            printer.line("Its last good version is kept until these are mended.")


def _summary(facts: dict[str, Any]) -> list[tuple[str, str]]:
    sizes = facts["bytes"]
    rows = [("file", facts["file"])]
    if facts["processor"] is not None:
        processor = facts["processor"]
        rows.append(("processor", f"{processor['name']}, version {processor['version']}"))
        if processor["settings"]:
            # A file may override them: a world file sets its cell size.
            rows.append(("default settings", json.dumps(processor["settings"], ensure_ascii=False)))
    if isinstance(facts["head"], dict) and "cell_size" in facts["head"]:
        rows.append(("cell size", f"{facts['head']['cell_size']:g} pixels"))
    if facts["variant"]:
        rows.append(("own settings", json.dumps(facts["variant"], ensure_ascii=False)))
    if facts["content"] is not None:
        rows.append(("content hash", facts["content"]))
    if facts["reason"] is not None:
        rows.append(("why baked last", facts["reason"]))
    if facts["stale"] is not None:
        rows.append(("to be baked again", facts["stale"]))
    if facts["seconds"] is not None:
        rows.append(("time to bake", duration(facts["seconds"])))
    if sizes["source"] is not None:
        rows.append(("size of the file", amount(sizes["source"])))
    if facts["outputs"]:
        pages = f"{sizes['pages']:,} page{'' if sizes['pages'] == 1 else 's'}"
        rows.append(("size, unpacked", f"{amount(sizes['unpacked'])} in {pages}"))
        rows.append(("size, packed", amount(sizes["packed"])))
    return rows


def _components(components: dict[str, dict[str, Any]]) -> list[Node]:
    return [
        Node(
            name,
            [
                Node(f"{key}: {shown(json.dumps(value, ensure_ascii=False), _VALUE)}")
                for key, value in fields.items()
            ],
        )
        for name, fields in components.items()
    ]


def _child(child: dict[str, Any]) -> Node:
    text = child["prefab"]
    if child["name"] is not None:
        text = f"{child['name']}: {text}"
    x, y = child["position"]
    text += f" at ({x:g}, {y:g})"
    if child["angle"]:
        text += f", turned {child['angle']:g}°"
    if child["scale"] != 1:
        text += f", scaled {json.dumps(child['scale'])}"
    if child["components"]:
        text += f"  [{', '.join(child['components'])}]"
    return Node(text, [_child(one) for one in child["children"]])


def _input(one: dict[str, Any]) -> Node:
    text = one["name"]
    if one["kind"] == "ambient":
        kind, _, names = text.partition(":")
        text = f"{kind} {'of every name' if names == '*' else names.replace(',', ', ') or 'none'}"
    elif one["missing"]:
        text += "  (missing)"
    elif one["above"]:
        text += "  (see above)"
    if not one["current"]:
        text += "  (changed since)"
    return Node(text, [_input(below) for below in one["made_from"]])


def _print_users(printer: Printer, facts: dict[str, Any]) -> None:
    for title, name in (
        ("Used to make", "used_by"),
        ("And by way of those", "used_by_way"),
        ("Needed at run time by", "needed_by"),
    ):
        users = facts[name]
        if users:
            printer.heading(title)
            printer.table([(user,) for user in users[:_MOST_NAMES]])
            if len(users) > _MOST_NAMES:
                printer.line(f"  and {len(users) - _MOST_NAMES:,} more")
