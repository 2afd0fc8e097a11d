"""The local SageMaker: jobs and pipelines run on this machine, for development and tests."""
