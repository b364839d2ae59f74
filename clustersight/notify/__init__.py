"""Where messages go: one module per kind of channel, behind the contract in channel.py."""
