"""Who this box is: its keys, its certificate, and whom it trusts."""
