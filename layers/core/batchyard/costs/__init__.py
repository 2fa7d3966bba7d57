"""What tokens cost: how many were used, the price lists, and the dollars that follow; no I/O but the list of the package."""
