"""``hookrunner explain``: which containers a push reaches, and why not the others."""

import asyncio
import json
import sys
from pathlib import Path
from typing import Any

import click
import msgspec
from rich.text import Text

from hookrunner.cli.client import connect, decode
from hookrunner.cli.lookup import find
from hookrunner.cli.options import selector as read_selector
from hookrunner.cli.options import with_json
from hookrunner.cli.remote import with_server
from hookrunner.cli.settings import load
from hookrunner.cli.terminal import cell, note, show, write_json
from hookrunner.errors import UsageError
from hookrunner.forges import FORGES, Request
from hookrunner.model import Decoded

EXPLAIN = "/api/v1/explain"
PAYLOAD_LIMIT = 64 * 2**20
"""Bytes of a payload that are read; no forge sends more than 25 MB."""


@click.command()
@click.argument("selector", callback=read_selector, required=False)
@click.option(
    "--payload", metavar="FILE", help="A webhook's body, as the forge sent it; - is stdin."
)
@click.option("--forge", type=click.Choice(sorted(FORGES)), help="What sent the payload.")
@click.option(
    "--event",
    metavar="NAME",
    help="The payload's event, as the forge's header has it.  [default: its push event]",
)
@click.option("--source", metavar="NAME", help="Judge as if this source had sent the payload.")
@click.option("--delivery", metavar="ID", help="Judge a delivery that came in; `last` works.")
@with_json
@with_server
def explain(
    *,
    selector: dict[str, str] | None,
    payload: str | None,
    forge: str | None,
    event: str | None,
    source: str | None,
    delivery: str | None,
    as_json: bool,
    config_file: str | None,
) -> None:
    """Say which containers a SELECTOR, payload or delivery reaches, and why; nothing runs."""
    if sum(one is not None for one in (selector, payload, delivery)) != 1:
        raise click.UsageError("give one of SELECTOR, --payload FILE and --delivery ID")
    if payload is None and (forge or event or source):
        raise click.UsageError("--forge, --event and --source belong to --payload")
    if payload is not None:
        if forge is None:
            raise click.UsageError("--payload needs --forge: what sent it?")
        decoded = decode_payload(_read(payload), forge=forge, event=event)
        if decoded.ignored and not decoded.pushes:
            if as_json:
                write_json(json.dumps({"ignored": decoded.ignored, "verdicts": []}).encode())
            else:
                show(Text(f"ignored: {cell(decoded.ignored)}"))
            return
        bodies = [
            {"push": msgspec.to_builtins(push)} | ({"source": source} if source else {})
            for push in decoded.pushes
        ]
        answers = asyncio.run(_ask(config_file, bodies))
    elif delivery is not None:
        answers = asyncio.run(_ask_delivery(config_file, delivery))
    else:
        answers = asyncio.run(_ask(config_file, [dict(selector or {})]))
    if as_json:
        write_json(_joined(answers))
        return
    for raw in answers:
        show_answer(decode(raw))


def decode_payload(body: bytes, *, forge: str, event: str | None) -> Decoded:
    """Decode a body as if its forge had sent it just now. No signature is needed.

    Args:
        event: The event's name; None is the forge's push event.

    Raises:
        DeliveryError: The forge cannot have sent it.
    """
    headers = [("Content-Type", "application/json")]
    if (push_event := FORGES[forge].push_event) is not None:
        header, name = push_event
        headers.append((header, event or (gitlab_event(body) if forge == "gitlab" else name)))
    return FORGES[forge].decode(Request(headers=tuple(headers), body=body))


def gitlab_event(body: bytes) -> str:
    """GitLab has one event for branches and one for tags, told apart in the body too."""
    try:
        said = json.loads(body)
    except ValueError:
        said = None
    kind = said.get("object_kind") if isinstance(said, dict) else None
    return "Tag Push Hook" if kind == "tag_push" else "Push Hook"


def show_answer(answer: dict[str, Any]) -> None:
    """Print what the API says of a push or a delivery: all verdicts, and the others."""
    pushes = answer.get("pushes")
    if isinstance(pushes, list) and any("verdicts" in push for push in pushes):
        for push in pushes:
            ref = push.get("ref") or (push.get("push") or {}).get("ref")
            if ref and len(pushes) > 1:
                show(Text(cell(ref), style="bold"))
            show_answer({key: value for key, value in push.items() if key != "pushes"})
        return
    if answer.get("ignored"):
        show(Text(f"ignored: {cell(answer['ignored'])}", style="yellow"))
    verdicts = answer.get("verdicts") or []
    for verdict in verdicts:
        show_verdict(verdict)
    if answer.get("closest"):
        show(Text(cell(answer["closest"])))
    others = answer.get("others")
    if others:
        noun = "container has" if others == 1 else "containers have"
        show(Text(f"{others} other {noun} nothing to do with it"))
    elif not verdicts and not answer.get("ignored"):
        show(Text("no container is known that could be meant"))


def show_verdict(verdict: dict[str, Any], *, err: bool = False) -> None:
    """Print a verdict: whether, which container, why, and what to do about it.

    Args:
        err: To stderr, without colours.
    """
    target = bool(verdict.get("target"))
    mark, style = ("✓", "green") if target else ("✗", "red")
    if verdict.get("skipped"):
        mark, style = "·", "dim"
    reason, remedy = cell(verdict.get("reason")), cell(verdict.get("remedy"))
    lines = [
        Text.assemble(
            (mark, style), " ", (cell(verdict.get("container")), "bold"), f"  {reason}"
        )
    ]
    if remedy:
        lines.append(Text(f"    {remedy}"))
    for line in lines:
        if err:
            note(line.plain)
        else:
            show(line)


async def _ask(config_file: str | None, bodies: list[dict[str, Any]]) -> list[bytes]:
    async with connect(load(config_file)) as client:
        return [await client.raw("POST", EXPLAIN, body=body) for body in bodies]


async def _ask_delivery(config_file: str | None, delivery: str) -> list[bytes]:
    async with connect(load(config_file)) as client:
        identity = await find(client, "/api/v1/deliveries", delivery)
        return [await client.raw("POST", EXPLAIN, body={"delivery": identity})]


def _joined(answers: list[bytes]) -> bytes:
    """The API's answer as it is; several, one for each of a payload's pushes, as a list."""
    if len(answers) == 1:
        return answers[0]
    return json.dumps({"items": [decode(raw) for raw in answers], "next": None}).encode()


def _read(name: str) -> bytes:
    try:
        if name == "-":
            return sys.stdin.buffer.read(PAYLOAD_LIMIT)
        with Path(name).open("rb") as file:
            return file.read(PAYLOAD_LIMIT)
    except OSError as error:
        raise UsageError(f"cannot read {name}: {error.strerror}") from error
