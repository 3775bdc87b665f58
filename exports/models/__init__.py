"""Export definitions, runs, deliveries and attempts."""

from exports.models.definitions import Destination, Export, Server
from exports.models.runs import Attempt, Delivery, ExportRun

__all__ = ["Attempt", "Delivery", "Destination", "Export", "ExportRun", "Server"]
