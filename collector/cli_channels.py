"""The commands `channel …`: try a channel out, and see who has written to a Zalo bot."""

from pathlib import Path

import click

from collector.alerts.channels.protocol import Channel, ChannelBusy, ChannelRefused
from collector.alerts.texts import AlertFacts, write
from collector.cli_options import config_option, load
from collector.config import CollectorConfig
from vonggac.daemon.clock import SystemClock, new_id
from vonggac.daemon.config import ConfigInvalid
from vonggac.daemon.program import refuse_config


@click.group()
def channel() -> None:
    """Ways to reach people: try one out."""


@channel.command("test")
@click.argument("name")
@config_option
def channel_test(name: str, config_path: Path) -> None:
    """Send a test message over the channel NAME."""
    config, clock = load(config_path), SystemClock()
    facts = AlertFacts(subject="test", box="", at_ms=clock.wall_ms(), rings=False)
    try:
        made = _channel(config, name)
        made.send(new_id(clock), write(facts, made.language, config.zone), None)
    except ConfigInvalid as error:
        refuse_config(error)
    except (ChannelBusy, ChannelRefused) as error:
        raise click.ClickException(f"channel {name}: {error}") from None
    click.echo("sent")


@channel.command("chats")
@click.argument("name")
@config_option
def channel_chats(name: str, config_path: Path) -> None:
    """Wait until somebody writes to the Zalo bot of the channel NAME, and show the id of their chat."""
    config = load(config_path)
    section = next((each for each in config.alerts.channels if each.name == name), None)
    if section is None or section.zalo is None:
        raise click.ClickException(f"channel {name}: there is no channel of this name that is a Zalo bot")
    click.echo("Write to the bot now, from the Zalo account that is to be told (half a minute).", err=True)
    try:
        heard = section.zalo_channel(section.zalo).heard_from()
    except ConfigInvalid as error:
        refuse_config(error)
    except (ChannelBusy, ChannelRefused) as error:
        raise click.ClickException(f"channel {name}: {error}") from None
    if heard is None:
        raise click.ClickException("nobody wrote to it")
    chat, who = heard
    click.echo(f"{chat}  {who}")


def _channel(config: CollectorConfig, name: str) -> Channel:
    for each in config.alerts.channels:
        if each.name == name:
            return each.channel()
    known = ", ".join(each.name for each in config.alerts.channels) or "none"
    raise click.ClickException(f"channel {name}: not configured; there are: {known}")
