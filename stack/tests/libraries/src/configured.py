"""Powertools' parameters, logger, metrics and typed events."""

import os

from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.utilities import parameters

logger, metrics = Logger(), Metrics(namespace="shop")


@metrics.log_metrics(capture_cold_start_metric=True)
@logger.inject_lambda_context(log_event=True)
def handler(event, context):
    metrics.add_metric(name="asked", unit=MetricUnit.Count, value=1)
    logger.info("asked", extra={"remaining": context.get_remaining_time_in_millis()})
    return {
        "parameter": parameters.get_parameter(os.environ["CONFIG"], transform="json"),
        "secret": parameters.get_secret(os.environ["SECRET"], transform="json"),
        "arn": context.invoked_function_arn,
    }
