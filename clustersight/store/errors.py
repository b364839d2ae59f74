"""What can go wrong with the store: one class for each decision of a caller.

    StoreError
    ├── Unavailable        cannot be opened or reached, or it broke: try again later
    │   ├── Full           no space left: collecting goes on, writing waits
    │   └── Corrupt        the file is no database, or damaged: restore a backup
    ├── WrongVersion       made by a newer release, or not migrated
    ├── Conflict           a name or address that is taken
    └── Undecryptable      a secret that the key does not open

No message holds a URL's password, a secret, or a statement's values.
"""

from __future__ import annotations


class StoreError(Exception):
    """Base of the tree; the text is one line for a person, with the remedy."""


class Unavailable(StoreError):
    """The database cannot be opened, reached or written."""


class Full(Unavailable):
    """There is no space left for it."""


class Corrupt(Unavailable):
    """It is not a database, or it is damaged."""


class WrongVersion(StoreError):
    """Its schema is not the one that this release knows."""


class Conflict(StoreError):
    """Something with this name or address is there already."""


class Undecryptable(StoreError):
    """The key does not open what is stored."""
