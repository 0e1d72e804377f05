# An idle layer passes events untouched until a plan stands in the parameter. In the aws_lambda_function of authorizer, appointments:
#   layers = concat(<those it has>, local.brownout_layers)
#   environment { variables = merge(<those it has>, local.brownout_variables) }
# A function of an OS-only runtime must point itself at the extension (docs/layer.md); a wrapper that it has goes to BROWNOUT_EXEC_WRAPPER.

variable "brownout_layer_arn" {
  type        = string
  default     = "arn:aws:lambda:us-east-1:123456789012:layer:brownout:7"
  description = "The version of brownout's layer; empty is without it"
}

locals {
  brownout_layers = var.brownout_layer_arn == "" ? [] : [var.brownout_layer_arn]
  brownout_variables = var.brownout_layer_arn == "" ? {} : {
    AWS_LAMBDA_EXEC_WRAPPER = "/opt/brownout/wrapper"
    BROWNOUT_PLAN           = "ssm:/brownout/slow-authorizer/plan/idle"
  }
}

resource "aws_iam_role_policy" "brownout_plan" {
  for_each = toset(var.brownout_layer_arn == "" ? [] : [
    "appointments-role",
    "authorizer-role",
  ])

  name   = "brownout-slow-authorizer-plan"
  role   = each.value
  policy = <<-JSON
    {
      "Statement": [
        {
          "Action": [
            "ssm:GetParameter"
          ],
          "Effect": "Allow",
          "Resource": [
            "arn:aws:ssm:us-east-1:123456789012:parameter/brownout/slow-authorizer/plan",
            "arn:aws:ssm:us-east-1:123456789012:parameter/brownout/slow-authorizer/plan/*"
          ],
          "Sid": "ReadThePlan"
        }
      ],
      "Version": "2012-10-17"
    }
  JSON
}
