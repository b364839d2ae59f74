"""What goes wrong with a Grafana, one class per decision of whoever asks it.

GrafanaError                this request failed; the next one may do
    GrafanaChangedError     it is not, or no longer, as we thought (409, 412): look again
    GrafanaUnusableError    the next request would fail just so: stop
"""


class GrafanaError(Exception):
    """The text is one line for a person, with a remedy and without the token."""


class GrafanaChangedError(GrafanaError):
    """Something stands in the way of what was to be saved."""


class GrafanaUnusableError(GrafanaError):
    """It cannot be reached, does not know the token, or is no Grafana."""
