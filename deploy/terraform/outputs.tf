output "function_alias" {
  value = aws_lambda_alias.live.arn
}

output "queue_url" {
  value = aws_sqs_queue.events.id
}

output "failure_queue_url" {
  value = aws_sqs_queue.failures.id
}
