"""``hookrunner help``: the longer documents, and the help of commands."""

import click

from hookrunner.cli.options import with_config
from hookrunner.errors import NotFoundError
from hookrunner.web.documents import by_subject, documents, title


@click.command("help")
@click.argument("topic", required=False)
@with_config
@click.pass_context
def help_(ctx: click.Context, topic: str | None, config_file: str | None) -> None:
    """Show the document on TOPIC, or a command's help; alone, what topics there are."""
    del config_file
    group = ctx.find_root().command
    found = documents()
    if topic is None:
        click.echo("Topics of `hookrunner help TOPIC`\n")
        for subject, texts in by_subject().items():
            click.echo(f"{subject}:")
            for name, text in texts.items():
                click.echo(f"  {name:17}  {title(text)}")
            click.echo()
        click.echo("Any command is a topic as well; `hookrunner --help` lists them.")
    elif topic in found:
        click.echo(found[topic], nl=False)
    elif isinstance(group, click.Group) and (command := group.get_command(ctx, topic)):
        with click.Context(command, info_name=topic, parent=ctx.find_root()) as of_command:
            click.echo(command.get_help(of_command))
    else:
        raise NotFoundError(
            f"there is no topic {topic}", hint=f"the topics are: {', '.join(found)}"
        )
