"""Network addresses, kept only as far as the network: nobody's own."""

from __future__ import annotations

from ipaddress import ip_address, ip_network

KEPT_BITS = {4: 24, 6: 48}


def truncated(address: str) -> str:
    """192.0.2.17 becomes 192.0.2.0; what is no address becomes ""."""
    try:
        parsed = ip_address(address)
    except ValueError:
        return ""
    network = ip_network((parsed, KEPT_BITS[parsed.version]), strict=False)
    return str(network.network_address)
