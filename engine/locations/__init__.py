"""Where data is: adapters behind small capability protocols."""
