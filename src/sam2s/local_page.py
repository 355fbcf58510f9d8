"""Pages that this machine serves to its own browser: what keeps other pages and other names out.

Any web page can make a browser send requests to 127.0.0.1, and a name that a stranger owns can be
made to point there. So ``Host`` must be ours (else DNS rebinding), ``Origin`` and
``Sec-Fetch-Site`` too (else another page, on another port of this machine included). Who may then
ask is for the servers to say: ``live.door`` and ``annotate.server.gate``.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from http.cookies import CookieError, SimpleCookie


def page_headers(*, images: str = "'self'", forms: str = "'none'") -> dict[str, str]:
    """Headers of every answer: no code but the server's own files, nothing kept, nothing told to
    others. ``images`` and ``forms``: where the page's pictures come from and its forms go to."""
    return {
        "Content-Security-Policy": (
            f"default-src 'none'; script-src 'self'; style-src 'self'; img-src {images};"
            f" connect-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action {forms}"
        ),
        "Cross-Origin-Opener-Policy": "same-origin",
        "Cross-Origin-Resource-Policy": "same-origin",
        "Referrer-Policy": "no-referrer",
        "X-Content-Type-Options": "nosniff",
        "Cache-Control": "no-store",
    }


def refused_origin(
    headers: Mapping[str, str], hosts: Collection[str], *, entering: bool
) -> str | None:
    """Why a request that comes under another name or from another page is refused, None where it
    does not.

    ``headers``: names in lower case, a name that stands twice joined by a comma, which then fits
    nothing. ``hosts``: our names with the port. ``entering``: a link may lead to this address.
    """
    origin = headers.get("origin")
    if headers.get("host", "") not in hosts:
        return "this server does not answer to that name; use the address it printed"
    if origin is not None and origin.partition("://")[2] not in hosts:
        return "requests from other pages are refused"
    if headers.get("sec-fetch-site", "none") not in ("same-origin", "none") and not entering:
        return "requests from other pages are refused"
    return None


def cookie_of(headers: Mapping[str, str], name: str) -> str | None:
    """The value of a cookie; None where there is none, or the header cannot be read."""
    try:
        morsel = SimpleCookie(headers.get("cookie", "")).get(name)
    except CookieError:
        return None
    return None if morsel is None else morsel.value
