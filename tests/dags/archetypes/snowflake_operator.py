"""An operator of the team's own."""

from airflow.models.baseoperator import BaseOperator


class SnowflakeUnloadOperator(BaseOperator):
    """Unloads the result of a query to S3."""

    template_fields = ("query", "s3_uri")

    def __init__(self, *, query, s3_uri, snowflake_conn_id="snowflake_default", **kwargs):
        super().__init__(**kwargs)
        self.query, self.s3_uri, self.snowflake_conn_id = query, s3_uri, snowflake_conn_id

    def execute(self, context):
        raise NotImplementedError("needs Snowflake")
