"""Openings and clicks of emails, where the mail server tells of none: our links, a pixel, and who asks for them."""
