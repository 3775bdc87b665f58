"""The product's processes on one machine: embedded servers, supervisor, first-run secrets."""
