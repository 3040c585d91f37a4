"""Which requests come from the page of this server, or from a program of its user, and not from a page of another site.

A browser lets any page send requests to this computer, and a name of an attacker's may lead to 127.0.0.1 (DNS rebinding). Such requests
bear the other page's Origin, or the attacker's name as Host.
"""

from collections.abc import Collection, Mapping
from ipaddress import ip_address
from urllib.parse import urlsplit

OWN_SITES = ("same-origin", "none")  # Sec-Fetch-Site of the page's own requests, and of addresses that a user types


def foreign(headers: Mapping[str, str], names: Collection[str]) -> str:
    """Return why a request is refused, or "".

    Parameters
    ----------
    headers : mapping
        By lower-case name.
    names : collection of str
        Host names that the server answers to, beside localhost and plain addresses. An address as Host is safe: no DNS is asked for it.
    """
    host = headers.get("host", "")
    if not _known(_name(f"//{host}"), names):
        return "the server does not answer to this Host name; finser serve --name NAME adds one"
    origin = headers.get("origin")
    if origin is not None and urlsplit(origin).netloc.lower() != host.lower():
        return "a page of another origin may not use this server"
    followed = headers.get("sec-fetch-mode") == "navigate"  # a link to the page; a form that is sent bears an Origin
    if headers.get("sec-fetch-site", "none") not in OWN_SITES and not followed:
        return "a page of another site may not use this server"
    return ""


def _name(url: str) -> str:
    try:
        return (urlsplit(url).hostname or "").lower()
    except ValueError:  # e.g. a bracket that is not closed
        return ""


def _known(name: str, names: Collection[str]) -> bool:
    if name == "localhost" or name in names:
        return True
    try:
        ip_address(name)
    except ValueError:
        return False
    return True
