"""All faults: what is imported here registers its own."""

from . import of_clients, of_networks, of_processes, of_services
from .faults import FAULTS

__all__ = ["FAULTS", "of_clients", "of_networks", "of_processes", "of_services"]
