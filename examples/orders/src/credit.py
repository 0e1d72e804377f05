"""Says whether a customer has enough credit for an order."""

LIMIT = 100


def check(event, _context):
    return {"enough": event["amount"] <= LIMIT}
