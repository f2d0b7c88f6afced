variable "name" {
  description = "What function, role and queues are called."
  type        = string
  default     = "renditions"
}

variable "image_uri" {
  description = "What make push printed: ...amazonaws.com/renditions@sha256:..."
  type        = string
}

variable "source_bucket" {
  description = "The bucket that photos arrive in."
  type        = string
}

variable "destination_bucket" {
  description = "The bucket that renditions go to; not the source."
  type        = string
}

variable "source_prefix" {
  description = "Only objects whose key begins with this are read; empty for all."
  type        = string
  default     = ""
}

variable "destination_prefix" {
  description = "Every rendition's key begins with this: empty, or something that ends in a slash."
  type        = string
  default     = ""
}

variable "rejected_prefix" {
  description = "Where in the destination a small JSON for each rejected photo is kept; empty for none."
  type        = string
  default     = ""
}

variable "source_kms_key_arn" {
  description = "The key that photos are encrypted with; null for S3's own."
  type        = string
  default     = null
}

variable "destination_kms_key_arn" {
  description = "The key that renditions are encrypted with; null for S3's own."
  type        = string
  default     = null
}

variable "architecture" {
  description = "What the image was built for: x86_64 or arm64."
  type        = string
  default     = "x86_64"
}

variable "memory_mb" {
  description = "1,769 buys one whole vCPU."
  type        = number
  default     = 1769
}

variable "timeout" {
  description = "Seconds that one invocation may take."
  type        = number
  default     = 60
}

variable "reserved_concurrency" {
  description = "How many invocations may run at once; -1 for the account's limit."
  type        = number
  default     = -1
}
