"""Who a box is: the authority, enrolment, certificates and their end."""
