"""Everything on one machine: a rendered street as camera, and the real programs as processes of their own."""
