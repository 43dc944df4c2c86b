"""The program on the box: sees motion, keeps clips, hands them over."""
