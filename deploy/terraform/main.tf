# The function, its role and its queues, between two buckets that are there already. docs/image.md is the
# contract; alarms, HTTP and a gradual deployment are in deploy/template.yaml alone.

terraform {
  required_version = ">= 1.5"
  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = ">= 5.80"
    }
  }
}

data "aws_caller_identity" "current" {}
data "aws_partition" "current" {}
data "aws_region" "current" {}

locals {
  bucket       = "arn:${data.aws_partition.current.partition}:s3:::"
  source       = "${local.bucket}${var.source_bucket}"
  destination  = "${local.bucket}${var.destination_bucket}"
  kms_through  = "s3.${data.aws_region.current.name}.amazonaws.com"
  has_rejected = var.rejected_prefix != ""
}

# Queues

resource "aws_sqs_queue" "failures" {
  name                      = "${var.name}-failures"
  sqs_managed_sse_enabled   = true
  message_retention_seconds = 1209600
}

resource "aws_sqs_queue" "events" {
  name                    = var.name
  sqs_managed_sse_enabled = true
  # A message must stay hidden for six times as long as the function may take.
  visibility_timeout_seconds = 6 * var.timeout
  # Half of what the failure queue keeps: a message there is as old as it was here.
  message_retention_seconds = 604800
  redrive_policy = jsonencode({
    deadLetterTargetArn = aws_sqs_queue.failures.arn
    maxReceiveCount     = 5
  })
}

data "aws_iam_policy_document" "events" {
  statement {
    sid       = "EventsIn"
    actions   = ["sqs:SendMessage"]
    resources = [aws_sqs_queue.events.arn]
    principals {
      type        = "Service"
      identifiers = ["s3.amazonaws.com"]
    }
    condition {
      test     = "ArnEquals"
      variable = "aws:SourceArn"
      values   = [local.source]
    }
    condition {
      test     = "StringEquals"
      variable = "aws:SourceAccount"
      values   = [data.aws_caller_identity.current.account_id]
    }
  }
}

resource "aws_sqs_queue_policy" "events" {
  queue_url = aws_sqs_queue.events.id
  policy    = data.aws_iam_policy_document.events.json
}

# It replaces the bucket's other notifications: name those here too.
resource "aws_s3_bucket_notification" "photos" {
  bucket = var.source_bucket
  queue {
    queue_arn = aws_sqs_queue.events.arn
    events = [
      "s3:ObjectCreated:*",
      "s3:ObjectRemoved:*",
      "s3:LifecycleExpiration:*",
      "s3:ObjectRestore:Completed",
    ]
    filter_prefix = var.source_prefix
  }
  depends_on = [aws_sqs_queue_policy.events]
}

# The role: docs/image.md, "Permissions of the role"

data "aws_iam_policy_document" "assume" {
  statement {
    actions = ["sts:AssumeRole"]
    principals {
      type        = "Service"
      identifiers = ["lambda.amazonaws.com"]
    }
  }
}

data "aws_iam_policy_document" "function" {
  statement {
    sid       = "ReadPhotos"
    actions   = ["s3:GetObject"]
    resources = ["${local.source}/${var.source_prefix}*"]
  }
  statement {
    sid       = "TellGoneFromDenied"
    actions   = ["s3:ListBucket"]
    resources = [local.source, local.destination]
  }
  statement {
    sid = "KeepRenditions"
    actions = [
      "s3:GetObject",
      "s3:PutObject",
      "s3:AbortMultipartUpload",
      "s3:DeleteObject",
    ]
    resources = ["${local.destination}/${var.destination_prefix}*"]
  }
  statement {
    sid       = "Log"
    actions   = ["logs:CreateLogStream", "logs:PutLogEvents"]
    resources = ["${aws_cloudwatch_log_group.function.arn}:*"]
  }
  statement {
    sid       = "HandOverFailures"
    actions   = ["sqs:SendMessage"]
    resources = [aws_sqs_queue.failures.arn]
  }
  statement {
    sid = "TakeMessages"
    actions = [
      "sqs:ReceiveMessage",
      "sqs:DeleteMessage",
      "sqs:GetQueueAttributes",
    ]
    resources = [aws_sqs_queue.events.arn]
  }
  dynamic "statement" {
    for_each = local.has_rejected ? [1] : []
    content {
      sid       = "KeepRefusals"
      actions   = ["s3:PutObject"]
      resources = ["${local.destination}/${var.rejected_prefix}*"]
    }
  }
  dynamic "statement" {
    for_each = var.source_kms_key_arn == null ? [] : [var.source_kms_key_arn]
    content {
      sid       = "DecryptPhotos"
      actions   = ["kms:Decrypt"]
      resources = [statement.value]
      condition {
        test     = "StringEquals"
        variable = "kms:ViaService"
        values   = [local.kms_through]
      }
    }
  }
  dynamic "statement" {
    for_each = var.destination_kms_key_arn == null ? [] : [var.destination_kms_key_arn]
    content {
      sid       = "EncryptRenditions"
      actions   = ["kms:GenerateDataKey", "kms:Decrypt"]
      resources = [statement.value]
      condition {
        test     = "StringEquals"
        variable = "kms:ViaService"
        values   = [local.kms_through]
      }
    }
  }
}

resource "aws_iam_role" "function" {
  name               = var.name
  assume_role_policy = data.aws_iam_policy_document.assume.json
}

resource "aws_iam_role_policy" "function" {
  name   = "renditions"
  role   = aws_iam_role.function.id
  policy = data.aws_iam_policy_document.function.json
}

# The function

resource "aws_cloudwatch_log_group" "function" {
  name              = "/aws/lambda/${var.name}"
  retention_in_days = 30
}

resource "aws_lambda_function" "renditions" {
  function_name                  = var.name
  package_type                   = "Image"
  image_uri                      = var.image_uri
  architectures                  = [var.architecture]
  memory_size                    = var.memory_mb
  timeout                        = var.timeout
  role                           = aws_iam_role.function.arn
  reserved_concurrent_executions = var.reserved_concurrency
  publish                        = true
  logging_config {
    log_format            = "JSON"
    application_log_level = "INFO"
    log_group             = aws_cloudwatch_log_group.function.name
  }
  environment {
    variables = {
      DESTINATION_BUCKET       = var.destination_bucket
      DESTINATION_KEY_TEMPLATE = "${var.destination_prefix}{key}/{name}.{ext}"
      SOURCE_BUCKET            = var.source_bucket
      SOURCE_PREFIX            = var.source_prefix
      REJECTED_PREFIX          = var.rejected_prefix
    }
  }
  depends_on = [aws_iam_role_policy.function]
}

resource "aws_lambda_alias" "live" {
  name             = "live"
  function_name    = aws_lambda_function.renditions.function_name
  function_version = aws_lambda_function.renditions.version
}

resource "aws_lambda_function_event_invoke_config" "live" {
  function_name                = aws_lambda_function.renditions.function_name
  qualifier                    = aws_lambda_alias.live.name
  maximum_retry_attempts       = 2
  maximum_event_age_in_seconds = 21600
  destination_config {
    on_failure {
      destination = aws_sqs_queue.failures.arn
    }
  }
}

resource "aws_lambda_event_source_mapping" "queue" {
  function_name           = aws_lambda_alias.live.arn
  event_source_arn        = aws_sqs_queue.events.arn
  batch_size              = 1
  function_response_types = ["ReportBatchItemFailures"]
  # Without it, messages that the function has no room for count as received, and fail.
  dynamic "scaling_config" {
    for_each = var.reserved_concurrency > 0 ? [var.reserved_concurrency] : []
    content {
      maximum_concurrency = max(2, scaling_config.value - max(1, floor(scaling_config.value / 10)))
    }
  }
}
