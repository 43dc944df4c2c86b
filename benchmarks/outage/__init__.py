"""Days without a link, and what follows: the policy is kept to the letter, and new alerts overtake the backlog."""
