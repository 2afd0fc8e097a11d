"""AWS calls. Importing this package or its modules does not import boto3; the first call does."""
