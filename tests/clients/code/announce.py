"""A Lambda function."""


def handler(event, context):
    return {"statusCode": 200, "text": f"{event['model'].rpartition('/')[2]} of {event['name']}"}
